//! Messages and addresses out of what is at hand, and back.

use bytes::Bytes;
use talkback_proto::handshake::{UrlError, WsUrl};
use talkback_proto::{Message, Text};

#[test]
fn text_and_bytes_become_the_message_of_their_kind() {
    let text = Message::Text(Text::from("안녕"));
    assert_eq!(Message::from("안녕"), text);
    assert_eq!(Message::from("안녕".to_owned()), text);
    assert_eq!(Message::from(Text::from("안녕".to_owned())), text);
    let binary = Message::Binary(Bytes::from_static(b"\x00\x01").into());
    assert_eq!(Message::from(Bytes::from_static(b"\x00\x01")), binary);
    assert_eq!(Message::from(vec![0, 1]), binary);
    assert_eq!(Message::from(&[0u8, 1][..]), binary);
    assert_eq!(Message::from(&[0u8, 1]), binary);
}

#[test]
fn a_message_gives_its_payload_back_whatever_it_is() {
    for (message, text) in [
        (Message::from("안녕"), Some("안녕")),
        (Message::from("안녕".as_bytes()), None),
    ] {
        assert_eq!(message.as_text(), text);
        assert_eq!(message.as_bytes(), "안녕".as_bytes());
        assert!(message.len() == 6 && !message.is_empty());
        assert_eq!(message.into_bytes(), "안녕".as_bytes());
    }
    assert!(Message::from("").is_empty() && Message::from(Vec::new()).is_empty());
}

#[test]
fn a_text_is_a_string_slice_and_bytes() {
    let text = Text::from("안녕");
    assert_eq!(text.chars().count(), 2);
    assert_eq!(AsRef::<str>::as_ref(&text), "안녕");
    assert_eq!(text, *"안녕");
    assert_ne!(text, "안");
    assert!(text.len() == 6 && !text.is_empty() && Text::default().is_empty());
    assert_eq!(text.into_bytes(), "안녕".as_bytes());
}

#[test]
fn a_url_is_parsed_as_any_other_value() {
    let url: WsUrl = "wss://example.com/chat".parse().unwrap();
    assert_eq!(url, WsUrl::parse("wss://example.com/chat").unwrap());
    assert_eq!("ws:///".parse::<WsUrl>(), WsUrl::parse("ws:///"));
    let error: Result<WsUrl, UrlError> = "http://example.com".parse();
    assert!(error.is_err());
}
