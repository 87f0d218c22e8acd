//! Which servers are believed, and who is let in.

use russh::keys::ssh_key::{Algorithm, LineEnding, PrivateKey};

use super::*;

fn key(text: &str, passphrase: Option<&str>) -> Login {
    Login::Key(SecretString::from(text), passphrase.map(SecretString::from))
}

#[tokio::test]
async fn a_server_is_believed_by_a_pinned_key_and_by_nothing_else() {
    let (server, other, third) = (Server::start(), Server::start(), Server::start());
    server.put("people_2026-03-09.csv", people([7]), 5);
    let [ed25519, rsa] = ["host_ed25519", "host_rsa"].map(|name| server.host_key(name));
    let foreign = other.host_key("host_ed25519");
    let fingerprint = ssh::pin(&ed25519).unwrap().to_string();
    let shows = format!("127.0.0.1 shows the key {fingerprint}, which is not one of hostKeys");
    for (situation, pins, expected) in [
        ("its key", vec![ed25519.clone()], Ok(vec!["7".to_owned()])),
        ("its fingerprint", vec![fingerprint.clone()], Ok(vec!["7".to_owned()])),
        ("the second of two, in a rotation", vec![foreign.clone(), ed25519], Ok(vec!["7".to_owned()])),
        ("its other key, which it does not show first", vec![rsa.clone()], Ok(vec!["7".to_owned()])),
        ("another server's", vec![foreign.clone()], Err(Failure::Unreachable(shows.clone()))),
        ("two of others", vec![foreign, third.host_key("host_ed25519")], Err(Failure::Unreachable(shows))),
    ] {
        let source = source(&server, |file, _| file.host_keys = pins);
        assert_eq!(ask(&source, &mut FetchCache::default()).await, expected, "{situation}");
    }
    let unpinned = source(&server, |file, _| file.host_keys.clear());
    let why = crate::check(&unpinned).unwrap_err();
    assert!(why.starts_with("hostKeys: at least one"), "{why}");
    assert!(matches!(
        look(&unpinned, &NEAR, LONG, TODAY, &mut FetchCache::default()).await,
        Err(Failure::Unreachable(_))
    ));
}

#[tokio::test]
async fn whoever_signs_in_is_let_in_by_password_or_key_or_told_why_not() {
    let server = Server::start();
    server.put("people_2026-03-09.csv", people([7]), 5);
    let stranger = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
    let stranger = stranger.to_openssh(LineEnding::LF).unwrap().to_string();
    let refused = |why: &str| Err(Failure::Unauthorised(why.to_owned()));
    let unread = "the private key cannot be read, or its passphrase is wrong";
    for (situation, user, login, expected) in [
        ("a password", "hr", password(), Ok(())),
        ("an Ed25519 key", "hr", key(&server.key("ed25519"), None), Ok(())),
        ("an RSA key", "hr", key(&server.key("rsa"), None), Ok(())),
        ("a locked key", "hr", key(&server.key("locked"), Some(test_sshd::PASSPHRASE)), Ok(())),
        (
            "another password",
            "hr",
            Login::Password(SecretString::from("wrong")),
            refused("the server refused the user or the password"),
        ),
        ("another user", "nobody", password(), refused("the server refused the user or the password")),
        ("another key", "hr", key(&stranger, None), refused("the server refused the user or the key")),
        ("a locked key without its passphrase", "hr", key(&server.key("locked"), None), refused(unread)),
        ("a locked key with another", "hr", key(&server.key("locked"), Some("x")), refused(unread)),
    ] {
        let source = source(&server, |file, _| (file.user, file.login) = (user.to_owned(), login));
        let found = look(&source, &NEAR, LONG, TODAY, &mut FetchCache::default()).await;
        let words = format!("{:?}", found.as_ref().err());
        assert_eq!(found.map(|_| ()), expected, "{situation}");
        assert!(!words.contains(PASSWORD) && !words.contains("nobody"), "{words}");
        let readable = expected != refused(unread);
        assert_eq!(crate::check(&source).is_ok(), readable, "{situation}: seen before anything is asked");
    }
}

#[tokio::test]
async fn a_server_at_an_address_it_may_not_have_is_never_asked() {
    let server = Server::start();
    for host in ["127.0.0.1", "localhost"] {
        let source = source(&server, |file, _| host.clone_into(&mut file.host));
        let found = look(&source, &Network::default(), LONG, TODAY, &mut FetchCache::default()).await;
        let refused = Failure::AddressRefused(format!("{host} resolves to a loopback address"));
        assert_eq!(ids(found), Err(refused));
    }
}

#[tokio::test]
async fn what_is_no_ssh_server_or_none_at_all_is_named_by_its_host_alone() {
    let server = Server::start();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let nobody = source(&server, |file, _| file.port = port);
    let found = ask(&nobody, &mut FetchCache::default()).await;
    assert_eq!(found, Err(Failure::Unreachable("no connection to 127.0.0.1".to_owned())));

    let mail = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = mail.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let (mut stream, _) = mail.accept().await.unwrap();
        stream.write_all(b"220 mail.example.com ESMTP\r\n").await.unwrap();
    });
    let other = source(&server, |file, _| file.port = port);
    let Err(Failure::Unreachable(why)) = ask(&other, &mut FetchCache::default()).await else { panic!("it was read") };
    assert!(why.contains("127.0.0.1") && !why.contains("mail"), "{why}");
}

/// A server that asks for the password in its own words, as many appliances do.
mod appliance {
    use std::borrow::Cow;
    use std::sync::Arc;

    use russh::keys::PrivateKey;
    use russh::server::{self, Auth, Response};
    use russh::{MethodKind, MethodSet};

    pub(super) struct Appliance;

    impl server::Handler for Appliance {
        type Error = russh::Error;

        async fn auth_keyboard_interactive<'a>(
            &'a mut self,
            _: &str,
            _: &str,
            response: Option<Response<'a>>,
        ) -> Result<Auth, Self::Error> {
            let prompts = vec![(Cow::Borrowed("Site"), true), (Cow::Borrowed("Password"), false)];
            let Some(answers) = response else {
                return Ok(Auth::Partial { name: "".into(), instructions: "".into(), prompts: prompts.into() });
            };
            let answers: Vec<String> = answers.map(|answer| String::from_utf8(answer.to_vec()).unwrap()).collect();
            Ok(if answers == ["", super::PASSWORD] { Auth::Accept } else { Auth::reject() })
        }
    }

    /// Answers one connection. Returns its port and public key.
    pub(super) async fn start() -> (u16, String) {
        let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), russh::keys::Algorithm::Ed25519).unwrap();
        let public = key.public_key().to_openssh().unwrap();
        let methods = MethodSet::from(&[MethodKind::KeyboardInteractive][..]);
        let config = Arc::new(server::Config { methods, keys: vec![key], ..server::Config::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = server::run_stream(config, stream, Appliance).await.unwrap().await;
        });
        (port, public)
    }
}

#[tokio::test]
async fn a_server_that_asks_for_the_password_in_its_own_words_gets_it_where_it_is_not_shown() {
    for (word, expected) in [(PASSWORD, true), ("wrong", false)] {
        let (port, public) = appliance::start().await;
        let login = Login::Password(SecretString::from(word));
        let pins = vec![ssh::pin(&public).unwrap()];
        let way = ssh::Way { host: "127.0.0.1", port, user: "hr", pins, login: &login, private: true };
        assert_eq!(ssh::Ssh::connect(&way).await.is_ok(), expected, "{word}");
    }
}
