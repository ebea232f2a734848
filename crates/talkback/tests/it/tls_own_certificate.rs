//! A server's own certificate given as a root, any certificate at all, and no roots.

use rcgen::date_time_ymd;

use crate::support::certificates::{
    Authority, Identity, VERSIONS, connect_to, impostor, say_hello, serve,
};
use crate::tls_certificates::{assert_says, tls_failure};
use talkback_testing::old_certificates::{RSA_1024, VERSION_1};

/// The error in which a client that was given this certificate refuses a server.
async fn refusal(roots_pem: &str, server: tokio_rustls::rustls::ServerConfig) -> String {
    let address = serve(server).await;
    tls_failure(connect_to("localhost", address).tls_roots(roots_pem)).await
}

#[tokio::test]
async fn an_authoritys_certificate_passes_as_the_servers_own() {
    let alone = Identity::of_its_own_authority("localhost");
    for version in VERSIONS {
        let address = serve(alone.server_with(version)).await;
        say_hello(connect_to("localhost", address).tls_roots(alone.chain_pem.as_str())).await;
    }
    // Among others, too.
    let address = serve(alone.server()).await;
    let roots = Authority::new("A root").pem + &alone.chain_pem;
    say_hello(connect_to("localhost", address).tls_roots(roots)).await;
}

#[tokio::test]
async fn it_does_not_pass_as_the_servers_own_where_it_was_not_given() {
    let alone = Identity::of_its_own_authority("localhost");
    let other = Identity::of_its_own_authority("localhost");
    let message = refusal(&other.chain_pem, alone.server()).await;
    assert_says(&message, ["invalid peer certificate", "`tls_roots`"]);
    // One that an authority vouches for which is trusted is no server's either.
    let authority = Authority::new("A root");
    let issued = authority.issue_with("localhost", |params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    let message = refusal(&authority.pem, issued.server()).await;
    assert_says(&message, ["CaUsedAsEndEntity", "an authority's"]);
    assert_says(&message, ["that very certificate", "`tls_roots`"]);
}

#[tokio::test]
async fn out_of_date_it_does_not_pass() {
    for (begin, end, says) in [
        (2001, 2002, "certificate expired"),
        (4000, 4001, "certificate not valid yet"),
    ] {
        let old = Identity::self_signed_with("localhost", |params| {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            params.not_before = date_time_ymd(begin, 1, 1);
            params.not_after = date_time_ymd(end, 1, 1);
        });
        let message = refusal(&old.chain_pem, old.server()).await;
        assert_says(&message, [says, "clock"]);
    }
}

#[tokio::test]
async fn for_another_host_it_does_not_pass() {
    let other = Identity::of_its_own_authority("other.example");
    let message = refusal(&other.chain_pem, other.server()).await;
    assert_says(&message, ["not valid for name", "for another host"]);
}

#[tokio::test]
async fn without_a_subject_alt_name_it_does_not_pass_and_the_error_says_so() {
    let unnamed = Identity::self_signed_with("localhost", |params| {
        params.subject_alt_names.clear();
    });
    let message = refusal(&unnamed.chain_pem, unnamed.server()).await;
    assert_says(&message, ["not valid for", "subjectAltName=DNS:localhost"]);
}

#[tokio::test]
async fn without_its_key_it_does_not_pass() {
    for own in [
        Identity::of_its_own_authority("localhost"),
        Identity::self_signed("localhost"),
    ] {
        let message = refusal(&own.chain_pem, impostor(&own.chain_pem)).await;
        assert_says(&message, ["BadSignature", "does not hold the key"]);
    }
}

/// Nobody checks the signature either, so that the servers may sign with a key that ring can use.
#[tokio::test]
async fn l1_any_certificate_is_any() {
    let expired = Identity::self_signed_with("other.example", |params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    for certificate in [VERSION_1, RSA_1024, &expired.chain_pem] {
        let address = serve(impostor(certificate)).await;
        say_hello(connect_to("localhost", address).danger_accept_any_certificate()).await;
        // Given as a root it still has to hold.
        let given = connect_to("localhost", address).tls_roots(certificate);
        assert!(given.await.is_err());
    }
}

#[cfg(not(any(feature = "platform-roots", feature = "webpki-roots")))]
#[tokio::test]
async fn without_any_roots_the_error_says_what_to_add() {
    let error = talkback::connect("wss://127.0.0.1:1/").await.unwrap_err();
    let message = error.to_string();
    for part in ["`platform-roots`", "`webpki-roots`", "`tls_roots`"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!error.is_retryable());
}

#[cfg(feature = "rustls-0-23")]
#[tokio::test]
async fn a_configuration_of_ones_own_is_used_as_it_is() {
    let authority = Authority::new("A root");
    let address = serve(authority.issue("localhost").server()).await;
    let config = std::sync::Arc::new(authority.client());
    say_hello(connect_to("localhost", address).rustls_0_23(config.clone())).await;

    let stranger = std::sync::Arc::new(Authority::new("Another root").client());
    let message = tls_failure(connect_to("localhost", address).rustls_0_23(stranger)).await;
    assert_says(&message, ["UnknownIssuer", "`rustls_0_23`"]);

    let both = talkback::connect("wss://127.0.0.1:1/")
        .rustls_0_23(config)
        .tls_roots("");
    let message = both.await.unwrap_err().to_string();
    assert_says(&message, ["tls_roots", "`rustls_0_23` gave a whole"]);
}
