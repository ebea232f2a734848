//! What is wrong with what was given is told at once, and a Redis that is not there is waited for.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use talkback_topics::{Redis, RedisConnect, RedisError};

use crate::program::free_port;
use crate::redis::hub::Hub;
use crate::redis::server::RedisServer;

const PASSWORD: &str = "not-to-be-seen";

async fn refused(connect: RedisConnect) -> String {
    match connect.await {
        Err(RedisError::Refused(why)) => {
            assert!(!why.contains(PASSWORD), "{why}");
            why
        }
        other => panic!("it is not refused: {other:?}"),
    }
}

#[tokio::test]
async fn ba23_a_wrong_password_is_told() {
    let server = RedisServer::with(&["--requirepass", "right"]);
    let at = |login: &str| format!("redis://{login}127.0.0.1:{}", server.port);
    let why = refused(Redis::connect(&at(&format!(":{PASSWORD}@")))).await;
    assert!(why.contains("WRONGPASS"), "{why}");
    let why = refused(Redis::connect(&at(&format!("nobody:{PASSWORD}@")))).await;
    assert!(why.contains("WRONGPASS"), "{why}");
    let why = refused(Redis::connect(&at(""))).await;
    assert!(why.contains("NOAUTH"), "{why}");
    let why = refused(Redis::connect(&format!("{}/99", at(":right@")))).await;
    assert!(why.contains("DB index"), "{why}");
    let connect = Redis::connect(&at(":right@"));
    assert!(!format!("{connect:?}").contains("right"));
    let redis = connect.await.expect("the password is right");
    assert!(!format!("{redis:?}").contains("right"));
}

#[tokio::test]
async fn ba23_rights_that_are_missing_are_told() {
    let server = RedisServer::start();
    let user = |name: &str, rights: &str| {
        let mut command = vec!["ACL", "SETUSER", name, "on", ">right"];
        command.extend(rights.split(' '));
        assert_eq!(server.asked(&command), "OK");
        format!("redis://{name}:right@127.0.0.1:{}", server.port)
    };
    let documented =
        "~tb:* &tb:* +@connection +@scripting +@pubsub +@hash +@stream +@string +@keyspace";
    let url = user("documented", documented);
    let hub = Hub::at(&url).await;
    let mut reader = hub.reader("prices").await;
    let topic = hub.topic("prices");
    topic
        .publish("one")
        .id("1")
        .await
        .expect("it may be published");
    assert_eq!(reader.text().await, "one");
    let why = refused(Redis::connect(&user("deaf", "~tb:* +@all"))).await;
    assert!(why.contains("NOPERM"), "{why}");
    let why = refused(Redis::connect(&user(
        "unread",
        "~tb:* &tb:* +@all -@scripting",
    )))
    .await;
    assert!(why.contains("NOPERM"), "{why}");
}

#[tokio::test]
async fn ba23_what_was_given_wrong_is_told() {
    for wrong in ["http://127.0.0.1", "redis://:not-to-be-seen@", "127.0.0.1"] {
        let error = Redis::connect(wrong)
            .await
            .expect_err("it is no URL of Redis");
        assert!(matches!(error, RedisError::Url(_)), "{error:?}");
        assert!(!error.to_string().contains(PASSWORD), "{error}");
    }
    let error = Redis::connect("redis://127.0.0.1").prefix("{tb}").await;
    assert_eq!(error.expect_err("it has braces"), RedisError::Prefix);
}

#[tokio::test]
async fn ba23_a_wrong_certificate_is_told() {
    let made = Certificates::make();
    let mut server = RedisServer::absent(&[]);
    let port = free_port();
    let (certificate, key) = made.write(server.folder());
    server.add_options(&["--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
    server.add_options(&[
        "--tls-cert-file",
        path(&certificate),
        "--tls-key-file",
        path(&key),
    ]);
    server.add_options(&["--tls-ca-cert-file", path(&certificate)]);
    server.go_on();
    let secure = |host: &str| Redis::connect(&format!("rediss://{host}:{port}"));
    let roots = || made.root.clone();

    let hub = Hub::by(secure("localhost").tls_roots(roots())).await;
    let mut reader = hub.reader("prices").await;
    hub.publish("prices", "one").await;
    assert_eq!(reader.text().await, "one");

    let why = refused(secure("127.0.0.1").tls_roots(roots())).await;
    assert!(why.contains("not valid for name"), "{why}");
    let why = refused(secure("localhost").tls_roots(Certificates::make().root)).await;
    assert!(why.contains("TLS"), "{why}");
    // Nothing that the platform trusts vouches for it.
    let why = refused(secure("localhost")).await;
    assert!(why.contains("TLS"), "{why}");
    let error = secure("localhost").tls_roots("no certificate").await;
    assert!(matches!(error, Err(RedisError::Roots(_))), "{error:?}");
}

#[tokio::test]
async fn a_socket_of_unix_serves_as_well() {
    let mut server = RedisServer::absent(&[]);
    let socket = server.folder().join("redis.sock");
    server.add_options(&["--unixsocket", path(&socket)]);
    server.go_on();
    let hub = Hub::at(&format!("unix://{}?db=2", socket.display())).await;
    let mut reader = hub.reader("prices").await;
    hub.publish("prices", "one").await;
    assert_eq!(reader.text().await, "one");
}

#[tokio::test]
async fn ba24_a_hub_starts_without_its_redis() {
    let mut server = RedisServer::absent(&[]);
    let hub = Hub::down(Redis::connect(&server.url())).await;
    assert!(!hub.topics.is_up());
    hub.try_publish("prices", "one")
        .await
        .expect_err("there is no Redis");
    server.go_on();
    hub.topics.up().await;
    assert!(hub.topics.is_up());
    let mut reader = hub.reader("prices").await;
    hub.publish("prices", "one").await;
    assert_eq!(reader.text().await, "one");
}

/// A certificate for `localhost`, and the root that vouches for it.
struct Certificates {
    root: String,
    chain: String,
    key: String,
}

impl Certificates {
    fn make() -> Self {
        let mut root = CertificateParams::default();
        root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root_key = KeyPair::generate().expect("a key can be made");
        let root = CertifiedIssuer::self_signed(root, root_key).expect("it signs itself");
        let key = KeyPair::generate().expect("a key can be made");
        let own = CertificateParams::new(["localhost".to_owned()]).expect("it is a name");
        let own = own.signed_by(&key, &root).expect("the root signs it");
        Self {
            root: root.pem(),
            chain: own.pem(),
            key: key.serialize_pem(),
        }
    }

    fn write(&self, folder: &Path) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
        fs::write(&certificate, &self.chain).expect("the folder can be written to");
        fs::write(&key, &self.key).expect("the folder can be written to");
        (certificate, key)
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the target folder has such a name")
}
