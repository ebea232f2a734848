//! C6: a certificate that is not right fails the connect, and the error says why and what to do.

use rcgen::date_time_ymd;
use talkback::{Connect, ConnectError};

use crate::support::certificates::{Authority, Identity, VERSIONS, connect_to, say_hello, serve};

/// The error of TLS that a connect fails with, on one line.
pub(crate) async fn tls_failure(connecting: Connect) -> String {
    let error = connecting.await.map(drop).unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, ConnectError::Tls { .. }), "{message}");
    assert!(!message.contains('\n'), "{message:?}");
    assert!(message.starts_with("could not open wss://"), "{message}");
    message
}

/// The error in which a client that trusts `authority` refuses a server of this identity.
async fn refusal(authority: &Authority, host: &str, identity: &Identity) -> String {
    let address = serve(identity.server()).await;
    tls_failure(connect_to(host, address).tls_roots(authority.pem.as_str())).await
}

pub(crate) fn assert_says(message: &str, parts: [&str; 2]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing in: {message}");
    }
}

#[tokio::test]
async fn c6_a_good_certificate_passes() {
    let authority = Authority::new("A root");
    for host in ["localhost", "127.0.0.1"] {
        let address = serve(authority.issue(host).server()).await;
        say_hello(connect_to(host, address).tls_roots(authority.pem.as_str())).await;
    }
}

#[tokio::test]
async fn c6_an_expired_certificate_fails() {
    let authority = Authority::new("A root");
    let expired = authority.issue_with("localhost", |params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    let message = refusal(&authority, "localhost", &expired).await;
    assert_says(&message, ["certificate expired", "have it renewed"]);
}

#[tokio::test]
async fn c6_a_certificate_of_the_future_fails() {
    let authority = Authority::new("A root");
    let early = authority.issue_with("localhost", |params| {
        params.not_before = date_time_ymd(4000, 1, 1);
        params.not_after = date_time_ymd(4001, 1, 1);
    });
    let message = refusal(&authority, "localhost", &early).await;
    assert_says(&message, ["certificate not valid yet", "clock"]);
}

#[tokio::test]
async fn c6_a_certificate_for_another_host_fails() {
    let authority = Authority::new("A root");
    let other = authority.issue("other.example");
    let message = refusal(&authority, "localhost", &other).await;
    assert_says(
        &message,
        [
            "not valid for name \"localhost\"; certificate is only valid for DnsName(\"other.example\")",
            "connect to the name that it was issued for",
        ],
    );
}

#[tokio::test]
async fn c6_an_address_is_held_against_the_addresses_of_the_certificate() {
    let authority = Authority::new("A root");
    let other = authority.issue("127.0.0.2");
    let message = refusal(&authority, "127.0.0.1", &other).await;
    assert_says(
        &message,
        ["not valid for name \"127.0.0.1\"", "for another host"],
    );
    let named = authority.issue("localhost");
    let message = refusal(&authority, "127.0.0.1", &named).await;
    assert_says(
        &message,
        ["not valid for name \"127.0.0.1\"", "for another host"],
    );
}

#[tokio::test]
async fn c6_a_certificate_of_an_unknown_root_fails() {
    let authority = Authority::new("A root");
    let stranger = Authority::new("Another root");
    // One of the same name must not pass for it either.
    let impostor = Authority::new("A root");
    for (issuer, says, help) in [
        (
            stranger,
            "UnknownIssuer",
            "None of the roots given with `tls_roots` vouches",
        ),
        (impostor, "BadSignature", "another key than the root"),
    ] {
        let identity = issuer.issue("localhost");
        let message = refusal(&authority, "localhost", &identity).await;
        assert_says(&message, [says, help]);
        // What was done is not advised.
        assert!(!message.contains("give its root"), "{message}");
    }
}

#[tokio::test]
async fn c6_a_self_signed_certificate_fails() {
    let authority = Authority::new("A root");
    let alone = Identity::self_signed("localhost");
    let message = refusal(&authority, "localhost", &alone).await;
    assert_says(
        &message,
        ["UnknownIssuer", "add that under which it was issued"],
    );
}

#[tokio::test]
async fn c6_a_self_signed_certificate_passes_as_its_own_root() {
    let alone = Identity::self_signed("localhost");
    let address = serve(alone.server()).await;
    say_hello(connect_to("localhost", address).tls_roots(alone.chain_pem.as_str())).await;
}

#[tokio::test]
async fn c6_any_certificate_passes_where_the_program_accepts_any() {
    let expired = Authority::new("A root").issue_with("other.example", |params| {
        params.not_after = date_time_ymd(2002, 1, 1);
        params.not_before = date_time_ymd(2001, 1, 1);
    });
    for identity in [Identity::self_signed("localhost"), expired] {
        let address = serve(identity.server()).await;
        say_hello(connect_to("localhost", address).danger_accept_any_certificate()).await;
    }
}

#[tokio::test]
async fn c6_a_server_that_asks_for_a_certificate_gets_the_clients() {
    let authority = Authority::new("A root");
    let server = authority.issue("localhost");
    let client = authority.issue("client.example");
    for version in VERSIONS {
        let address = serve(server.server_for_clients_of(&authority, version)).await;
        let connecting = connect_to("localhost", address)
            .tls_roots(authority.pem.as_str())
            .tls_client_certificate(client.chain_pem.as_str(), client.key_pem.as_str());
        say_hello(connecting).await;
    }
}

#[tokio::test]
async fn c6_a_server_that_asks_for_a_certificate_in_vain_is_named() {
    let authority = Authority::new("A root");
    let server = authority.issue("localhost");
    let help = "may want a client certificate, given with `tls_client_certificate`";
    for version in VERSIONS {
        let address = serve(server.server_for_clients_of(&authority, version)).await;
        let connecting = connect_to("localhost", address).tls_roots(authority.pem.as_str());
        let message = tls_failure(connecting).await;
        assert_says(&message, ["CertificateRequired", help]);

        let stranger = Authority::new("Another root").issue("client.example");
        let connecting = connect_to("localhost", address)
            .tls_roots(authority.pem.as_str())
            .tls_client_certificate(stranger.chain_pem.as_str(), stranger.key_pem.as_str());
        let message = tls_failure(connecting).await;
        let help = "check that its certificate is in date, and that an authority";
        assert_says(&message, ["received fatal alert", help]);
    }
}

/// The error about an option that cannot be used, before anything is connected.
async fn option_failure(connecting: Connect) -> String {
    let error = connecting.await.map(drop).unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, ConnectError::TlsOption { .. }), "{message}");
    assert!(!message.contains('\n'), "{message:?}");
    message
}

#[tokio::test]
async fn options_that_are_no_pem_are_named_and_not_repeated() {
    let identity = Identity::self_signed("localhost");
    let other = Identity::self_signed("localhost");
    let connecting = || talkback::connect("wss://127.0.0.1:1/");
    for roots in [
        "",
        "hunter2",
        "-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----",
    ] {
        let message = option_failure(connecting().tls_roots(roots)).await;
        assert!(message.starts_with("the roots cannot be used"), "{message}");
        assert!(message.contains("Give certificates in PEM"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    for key in [
        "",
        "hunter2",
        "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
    ] {
        let given = connecting()
            .danger_accept_any_certificate()
            .tls_client_certificate(identity.chain_pem.as_str(), key);
        let message = option_failure(given).await;
        assert!(message.contains("client certificate"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    let mixed = connecting()
        .danger_accept_any_certificate()
        .tls_client_certificate(identity.chain_pem.as_str(), other.key_pem.as_str());
    let message = option_failure(mixed).await;
    assert_says(&message, ["the client certificate", "own private key"]);
}

/// Where a child of the next test is told the URL, and what it prints its outcome behind.
#[cfg(all(feature = "platform-roots", target_os = "linux"))]
const CHILD_URL: &str = "TALKBACK_TEST_URL";
#[cfg(all(feature = "platform-roots", target_os = "linux"))]
const CHILD_OUTCOME: &str = "outcome: ";

/// The platform's roots are read once in a process and can be set only by its environment, so this
/// test runs itself in child processes.
#[cfg(all(feature = "platform-roots", target_os = "linux"))]
#[tokio::test]
async fn c6_the_platforms_roots_are_trusted_by_default() {
    if let Ok(url) = std::env::var(CHILD_URL) {
        let outcome = match talkback::connect(url).await {
            Ok(_) => "open".to_owned(),
            Err(error) => error.to_string(),
        };
        println!("\n{CHILD_OUTCOME}{outcome}");
        return;
    }
    let authority = Authority::new("A root");
    let address = serve(authority.issue("localhost").server()).await;
    let url = format!("wss://localhost:{}/", address.port());
    assert_eq!(outcome_in_child(&url, &authority.pem).await, "open");

    let stranger = Authority::new("Another root");
    let message = outcome_in_child(&url, &stranger.pem).await;
    assert_says(&message, ["UnknownIssuer", "`tls_roots`"]);

    // What an authority's certificate may be that was given with `tls_roots`, the platform's may not.
    let alone = Identity::of_its_own_authority("localhost");
    let address = serve(alone.server()).await;
    let own = format!("wss://localhost:{}/", address.port());
    let message = outcome_in_child(&own, &alone.chain_pem).await;
    assert_says(&message, ["CaUsedAsEndEntity", "`tls_roots`"]);

    // Where there are none, Mozilla's stand in for them, if they are built in.
    let message = outcome_in_child(&url, "").await;
    let says = match cfg!(feature = "webpki-roots") {
        true => "UnknownIssuer",
        false => "the platform's roots",
    };
    assert_says(&message, [says, "`tls_roots`"]);
}

/// What a process with these roots says about the URL.
#[cfg(all(feature = "platform-roots", target_os = "linux"))]
async fn outcome_in_child(url: &str, roots: &str) -> String {
    let name = format!("talkback-roots-{}.pem", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, roots).unwrap();
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("tls_certificates::c6_the_platforms_roots_are_trusted_by_default")
        .env(CHILD_URL, url)
        .env("SSL_CERT_FILE", &path)
        .env_remove("SSL_CERT_DIR")
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    let output = String::from_utf8(child.stdout).unwrap();
    let outcome = output
        .lines()
        .find_map(|line| line.strip_prefix(CHILD_OUTCOME));
    outcome.unwrap_or_else(|| panic!("{output}")).to_owned()
}
