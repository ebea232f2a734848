//! Where a redirect leads, and which ones are not to be followed.

use bytes::Bytes;
use http::header::HeaderName;

use super::super::Unfollowed;
use super::*;

fn response_with(status: u16, locations: &[&[u8]]) -> Response<()> {
    let mut response = Response::builder().status(status);
    for location in locations {
        response = response.header("location", *location);
    }
    response.body(()).unwrap()
}

fn client_at(url: &str) -> ClientHandshake {
    client_with(url, ClientOptions::default()).unwrap()
}

/// Where a redirect of this client's request leads.
fn target(url: &str, location: &str) -> Result<WsUrl, Unfollowed> {
    let response = response_with(302, &[location.as_bytes()]);
    client_at(url).redirect(&response).unwrap()
}

#[test]
fn px22_five_statuses_are_redirects() {
    let client = client_at("ws://a.example/room");
    for status in [301, 302, 303, 307, 308] {
        let target = client.redirect(&response_with(status, &[b"/other"]));
        assert_eq!(target.unwrap().unwrap().to_string(), "ws://a.example/other");
    }
    for status in [101, 200, 300, 304, 305, 306, 309, 401, 404, 503] {
        let target = client.redirect(&response_with(status, &[b"/other"]));
        assert_eq!(target, None, "{status}");
    }
}

#[test]
fn px22_a_location_of_http_stands_for_one_of_websocket() {
    for (location, url) in [
        ("https://b.example/x?y#z", "wss://b.example/x?y"),
        ("HTTPS://B.example:443", "wss://b.example/"),
        ("wss://b.example:1/", "wss://b.example:1/"),
        ("//b.example/x", "wss://b.example/x"),
        ("../x", "wss://a.example:8443/x"),
        ("?y", "wss://a.example:8443/b/c?y"),
        ("/x@y/:z", "wss://a.example:8443/x@y/:z"),
        ("/x?a@b", "wss://a.example:8443/x?a@b"),
    ] {
        let target = target("wss://me:pass@a.example:8443/b/c", location).unwrap();
        assert_eq!(target, WsUrl::parse(url).unwrap(), "{location}");
    }
    // A reference without path and query has those of the request.
    for location in ["", "#top"] {
        let target = target("ws://a.example/b?q=1", location).unwrap();
        assert_eq!(target.request_target(), "/b?q=1", "{location}");
    }
    let up = target("ws://a.example/", "https://a.example/").unwrap();
    assert!(up.is_secure());
}

#[test]
fn px22_what_is_not_followed_has_its_reason() {
    for (location, why) in [
        ("http://a.example/", Unfollowed::Downgrade),
        ("ws://b.example/", Unfollowed::Downgrade),
        ("wss://me@b.example/", Unfollowed::UserInfo),
        ("wss://me:pass@b.example/", Unfollowed::UserInfo),
        ("http://me:pass@b.example/", Unfollowed::UserInfo),
        ("wss://@b.example/", Unfollowed::UserInfo),
        ("wss://a:b:c@d@b.example/", Unfollowed::UserInfo),
        ("//me@b.example", Unfollowed::UserInfo),
        ("mailto:me@b.example", Unfollowed::Location),
        ("ftp://b.example/", Unfollowed::Location),
        ("https://", Unfollowed::Location),
        ("https://b.example:0/", Unfollowed::Location),
        ("https://b example/", Unfollowed::Location),
    ] {
        assert_eq!(target("wss://a.example/", location), Err(why), "{location}");
    }
    let client = client_at("wss://a.example/");
    for locations in [
        &[][..],
        &[&b"/\xff"[..]],
        &[b"/x", b"/y"],
        &[b"/x", b"/x", b"https://b.example/"],
    ] {
        let target = client.redirect(&response_with(308, locations));
        assert_eq!(target, Some(Err(Unfollowed::Location)), "{locations:?}");
    }
    // Some server says it twice.
    let twice = client.redirect(&response_with(308, &[b"/x", b"/x"]));
    assert!(twice.unwrap().is_ok());
}

#[test]
fn px22_v12_what_is_made_of_a_redirect_shows_no_secret() {
    let mut options = ClientOptions::default();
    let key = HeaderName::from_static("x-api-key");
    options.headers.insert(key, "hunter2".parse().unwrap());
    let client = client_with("wss://a.example/?token=hunter3", options).unwrap();
    let location: &[u8] = b"https://b.example/hunter2/hunter3/x?hunter2";
    let target = client.redirect(&response_with(302, &[location]));
    let target = target.unwrap().unwrap();
    assert_eq!(target.request_target(), "/hunter2/hunter3/x?hunter2");
    let whole = WsUrl::parse("wss://b.example/hunter2/hunter3/x?hunter2").unwrap();
    assert!(target == whole, "they are the same request");
    for shown in [format!("{target}"), format!("{target:?}")] {
        assert!(shown.contains("wss://b.example/…/…/x?…"), "{shown}");
    }
    // Nor does the URL that it is made part of.
    let base = WsUrl::parse("wss://me:pass@c.example:1/").unwrap();
    let next = base.with_target_of(&target);
    assert_eq!(next.to_string(), "wss://c.example:1/…/…/x?…");
    assert_eq!(next.request_target(), target.request_target());
    assert_eq!(next.basic_auth(), base.basic_auth());
}

#[test]
fn px22_v12_a_secret_is_not_shown_percent_encoded_either() {
    for (secret, location) in [
        ("p@ss/word+1=", "/x/p%40ss%2Fword%2B1%3D"),
        ("p@ss/word+1=", "/x/p%40ss%2fword%2b1%3d"),
        ("h\u{fc}nter", "/x/h%C3%BCnter"),
        ("/hunter2/hunter3", "/hunter2/hunter3"),
    ] {
        let mut options = ClientOptions::default();
        let key = HeaderName::from_static("x-api-key");
        options.headers.insert(key, secret.try_into().unwrap());
        let client = client_with("ws://a.example/", options).unwrap();
        let target = client.redirect(&response_with(302, &[location.as_bytes()]));
        let shown = target.unwrap().unwrap().to_string();
        let path = shown.strip_prefix("ws://a.example").unwrap();
        assert!(["/x/…", "/…"].contains(&path), "{shown}");
    }
}

/// Both are the server's choice, by redirects to queries of many values.
#[test]
fn px22_v12_many_secrets_are_not_looked_for_in_a_long_path() {
    let values: Vec<String> = (0..3000).map(|number| format!("x{number:04}")).collect();
    let client = client_at(&format!("ws://a.example/?{}", values.join("&")));
    let path = "/x0001".repeat(2500);
    for (path, shown) in [(&*path, "/…"), (&path[..60], &*"/…".repeat(10))] {
        let response = response_with(302, &[path.as_bytes()]);
        let target = client.redirect(&response).unwrap().unwrap();
        assert_eq!(target.to_string(), format!("ws://a.example{shown}"));
    }
}

/// A server that redirects again says again what the one before has said.
#[test]
fn px22_v12_what_an_earlier_request_held_is_not_shown_either() {
    let mut options = ClientOptions::default();
    let key = HeaderName::from_static("x-api-key");
    options.headers.insert(key, "hunter2".parse().unwrap());
    let first = client_with("ws://a.example/?token=hunter3", options).unwrap();
    let second = client_at("ws://b.example/").redirected_from(&first);
    let third = client_at("ws://c.example/").redirected_from(&second);
    for client in [second, third] {
        let response = response_with(302, &[b"/hunter2/hunter3"]);
        let target = client.redirect(&response).unwrap().unwrap();
        assert!(target.to_string().ends_with(".example/…/…"), "{target}");
        let many = Unfollowed::TooMany { redirects_max: 1 };
        let body = Bytes::from_static(b"no page /hunter2/hunter3");
        for error in [
            client.unfollowed(&response, body.clone(), many),
            client.refused(&response_with(404, &[]), body),
        ] {
            let text = error.to_string();
            assert!(text.contains("/…/…") && !text.contains("hunter"), "{text}");
        }
    }
}

/// What a person is told of a redirect that is not followed.
fn told(location: &[u8], why: Unfollowed) -> String {
    let client = client_at("wss://a.example/room");
    let response = response_with(302, &[location]);
    let error = client.unfollowed(&response, "".into(), why);
    let HandshakeError::Status(refused) = &error else {
        panic!("{error}");
    };
    assert_eq!(refused.unfollowed, Some(why));
    let text = error.to_string();
    let (_, advice) = text.split_once("; it redirects").unwrap();
    advice.to_owned()
}

#[test]
fn px22_a_person_is_told_why_it_is_not_followed() {
    let many = Unfollowed::TooMany { redirects_max: 3 };
    assert_eq!(
        told(b"/other", many),
        " to wss://a.example/other, once more than the option `redirects` allows (3): check that they end, and connect to where that is"
    );
    assert_eq!(
        told(b"/room", many),
        " to this very URL: it may wait for a cookie or credentials that were not sent"
    );
    assert_eq!(
        told(b"http://b.example/", Unfollowed::Downgrade),
        " to ws://b.example/, which has no TLS: ask its operator for a wss:// address"
    );
    assert_eq!(
        told(b"https://me:hunter2@b.example/", Unfollowed::UserInfo),
        " to a URL with a user name or a password, which no server is to choose: ask its operator for the address without"
    );
    assert_eq!(
        told(b"mailto:me", Unfollowed::Location),
        " to what is no address of a WebSocket: ask its operator for that"
    );
    let option = "unix_socket";
    assert_eq!(
        told(b"//b.example/?x", Unfollowed::OtherOrigin { option }),
        " to wss://b.example/?… (the query is in its header Location), where the option `unix_socket` does not lead: connect there without it"
    );
    let client = client_at("wss://a.example/room");
    let response = response_with(302, &[b"/x", b"/y"]);
    let error = client.unfollowed(&response, "".into(), Unfollowed::Location);
    assert!(
        error
            .to_string()
            .contains("it redirects to several places at once: ask its operator"),
        "{error}"
    );
}
