//! Tokens: how they are asked for, renewed, signed for, and kept.

use data_encoding::BASE64;
use futures::future::BoxFuture;
use tokio::sync::{Notify, OwnedMutexGuard, watch};

use super::words::{PEOPLE, Vendor, ids, ok, page, source, vendor};
use super::*;
use crate::assertion;

#[tokio::test]
async fn a_token_is_asked_for_renewed_before_it_ends_and_once_when_it_is_refused() {
    let auth = |token: &str| format!("auth: {{token: {{url: 'https://hr.example.com/token', {token}}}}}");
    let grant = auth("body: {grant_type: client_credentials, client_secret: '{token}', scope: a b}");
    let login = auth("send: json, body: {key: '{token}'}, path: data.token, expiresIn: data.ttl, milliseconds: true");
    let people = "people: [{request: {path: /people}, records: data, paging: {cursor: {at: next, query: after}}}]";
    let token = |token: &str, seconds: u32| ok(json!({"access_token": token, "expires_in": seconds}));
    let form = "POST /token client_secret=s3cret&grant_type=client_credentials&scope=a+b";
    let end = json!({"expires_in": 1});
    for (what, auth, answers, lines) in [
        (
            "good for all pages",
            &grant,
            vec![token("a", 3600), page(&[1], json!({"next": "n"})), page(&[2], json!({}))],
            vec![form, "GET /api/people Bearer a", "GET /api/people?after=n Bearer a"],
        ),
        (
            "ends soon",
            &grant,
            vec![token("a", 30), page(&[1], json!({"next": "n"})), token("b", 30), page(&[2], json!({}))],
            vec![form, "GET /api/people Bearer a", form, "GET /api/people?after=n Bearer b"],
        ),
        (
            "refused in the middle",
            &grant,
            vec![
                token("a", 3600),
                page(&[1], json!({"next": "n"})),
                answer(401, &[], ""),
                token("b", 3600),
                page(&[2], json!({})),
            ],
            vec![
                form,
                "GET /api/people Bearer a",
                "GET /api/people?after=n Bearer a",
                form,
                "GET /api/people?after=n Bearer b",
            ],
        ),
        (
            "a login, in milliseconds",
            &login,
            vec![
                ok(json!({"data": {"token": "a", "ttl": 30000}})),
                page(&[1], json!({"next": "n"})),
                ok(json!({"data": {"token": "b", "ttl": 3_600_000}})),
                page(&[2], end.clone()),
            ],
            vec![
                r#"POST /token {"key":"s3cret"}"#,
                "GET /api/people Bearer a",
                r#"POST /token {"key":"s3cret"}"#,
                "GET /api/people?after=n Bearer b",
            ],
        ),
    ] {
        let vendor = vendor(answers).await;
        let read = ids(ask(&source(&vendor.url, auth, people, "")).await);
        assert_eq!(read, Ok(vec!["1".to_owned(), "2".to_owned()]), "{what}: {:?}", vendor.asked());
        assert_eq!(vendor.asked(), lines, "{what}");
    }
}

#[tokio::test]
async fn a_token_is_asked_for_by_get_and_taken_from_a_header_where_that_is_the_way() {
    let auth = |token: &str| format!("auth: {{token: {{url: 'https://hr.example.com/login', {token}}}}}");
    let basic = "basic: {username: '{token}', password: x}";
    let empty = || answer(200, &[("access-token", " a ")], "");
    let made = || answer(201, &[], json!({"access_token": "a"}).to_string());
    for (token, first, line) in [
        (format!("method: get, {basic}"), made(), "GET /login Basic czNjcmV0Ong="),
        (format!("method: get, at: {{header: Access-Token}}, {basic}"), empty(), "GET /login Basic czNjcmV0Ong="),
        ("method: get, headers: {Authorization: 'Key {token}'}".to_owned(), made(), "GET /login Key s3cret"),
        ("at: {header: access-token}, body: {k: '{token}'}".to_owned(), empty(), "POST /login k=s3cret"),
        (format!("send: json, {basic}"), made(), "POST /login {} Basic czNjcmV0Ong="),
        (
            "send: json, body: {key: '{token}', of.company: x, of.user.name: y}".to_owned(),
            made(),
            r#"POST /login {"key":"s3cret","of":{"company":"x","user":{"name":"y"}}}"#,
        ),
    ] {
        let vendor = vendor([first, page(&[1], json!({}))]).await;
        let read = ids(ask(&source(&vendor.url, &auth(&token), PEOPLE, "")).await);
        assert_eq!(read, Ok(vec!["1".to_owned()]), "{token}");
        assert_eq!(vendor.asked(), [line, "GET /api/people Bearer a"], "{token}");
    }
    let none = vendor([answer(200, &[], json!({"access_token": "a"}).to_string())]).await;
    let at = auth("at: {header: access-token}, body: {k: '{token}'}");
    let failure = Failure::WrongFormat("the response to the sign-in has no token".into());
    assert_eq!(ids(ask(&source(&none.url, &at, PEOPLE, "")).await), Err(failure));
}

#[tokio::test]
async fn a_sign_in_that_fails_says_so_and_nothing_else() {
    let auth = "auth: {token: {url: 'https://hr.example.com/token', body: {client_secret: '{token}'}}}";
    let refresh = "auth: {token: {url: 'https://hr.example.com/token', refreshTokenRotates: false, \
                   body: {grant_type: refresh_token, refresh_token: '{token}'}}}";
    let token = || ok(json!({"access_token": "t0ken"}));
    let none = || Failure::Unauthorised("the source gave no token for the credential".into());
    let refused = || Failure::Unauthorised("the source refused the credential (401)".into());
    for (what, auth, answers, failure) in [
        ("400", auth, vec![answer(400, &[], SECRET)], none()),
        ("401", auth, vec![answer(401, &[], SECRET)], none()),
        ("refused twice", auth, vec![token(), answer(401, &[], ""), token(), answer(401, &[], "")], refused()),
        (
            "no token",
            auth,
            vec![ok(json!({"s3cret": 1}))],
            Failure::WrongFormat("the response to the sign-in has no token".into()),
        ),
        (
            "no JSON",
            auth,
            vec![answer(200, &[], SECRET)],
            Failure::WrongFormat("the response to the sign-in is no JSON".into()),
        ),
        (
            "a token no header can carry",
            auth,
            vec![ok(json!({"access_token": "a\nb"}))],
            Failure::Unauthorised("the credential holds characters no header can carry".into()),
        ),
        (
            "another refresh token",
            refresh,
            vec![ok(json!({"access_token": "t0ken", "refresh_token": "other"}))],
            Failure::Unauthorised(
                "the source gave another refresh token, which is not kept: put a new one into the Secret".into(),
            ),
        ),
    ] {
        let vendor = vendor(answers).await;
        let found = ids(ask(&source(&vendor.url, auth, PEOPLE, "")).await);
        let words = format!("{found:?}");
        assert_eq!(found, Err(failure), "{what}");
        assert!(![SECRET, "t0ken", "other\""].iter().any(|secret| words.contains(secret)), "{words}");
    }
    let same = vendor([ok(json!({"access_token": "a", "refresh_token": SECRET})), page(&[1], json!({}))]).await;
    assert!(ask(&source(&same.url, refresh, PEOPLE, "")).await.is_ok());
}

const REFRESH: &str = "auth: {token: {url: 'https://hr.example.com/token', refreshToken: {key: token}, \
                       body: {grant_type: refresh_token, refresh_token: '{token}'}}}";

/// A token store that writes down what it does and what the source was asked.
struct Shelf {
    /// What it holds; each time it is lent out, the next of these is there.
    holds: watch::Sender<Vec<&'static str>>,
    lent: Arc<tokio::sync::Mutex<()>>,
    full: Option<&'static str>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Shelf {
    fn of(vendor: &Vendor, holds: &[&'static str]) -> Self {
        let heard = Arc::clone(&vendor.asked);
        Self { holds: watch::Sender::new(holds.to_vec()), lent: Arc::default(), full: None, heard }
    }
}

impl RefreshTokenStore for Shelf {
    fn lend<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<TokenLease, String>> {
        Box::pin(async move {
            let place: Box<OwnedMutexGuard<()>> = Box::new(Arc::clone(&self.lent).lock_owned().await);
            let mut value = "";
            self.holds.send_modify(|holds| value = if holds.len() > 1 { holds.remove(0) } else { holds[0] });
            self.heard.lock().unwrap().push(format!("lent {value}"));
            Ok(TokenLease { key: key.to_owned(), value: SecretString::from(value), place })
        })
    }

    fn keep(&self, lent: TokenLease, next: SecretString) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            use secrecy::ExposeSecret as _;
            if let Some(why) = self.full {
                return Err(why.to_owned());
            }
            let (before, next) = (lent.value.expose_secret(), next.expose_secret().to_owned());
            self.heard.lock().unwrap().push(format!("kept {next} for {before}"));
            self.holds.send_modify(|holds| *holds = vec![next.leak()]);
            Ok(())
        })
    }
}

/// A source whose refresh token is kept on a shelf.
fn kept(url: &str, shelf: &Arc<Shelf>) -> Source {
    let Source::Api(mut api) = source(url, REFRESH, PEOPLE, "") else { unreachable!() };
    api.token_store = Some(Arc::clone(shelf) as Arc<dyn RefreshTokenStore>);
    Source::Api(api)
}

fn given(refresh: &str) -> ScriptedResponse {
    ok(json!({"access_token": "a", "refresh_token": refresh}))
}

#[tokio::test]
async fn a_refresh_token_that_is_another_one_after_each_use_is_kept_before_anything_else_is_asked() {
    let post = |token: &str| format!("POST /token grant_type=refresh_token&refresh_token={token}");
    let get = "GET /api/people Bearer a".to_owned();
    let people = || page(&[1], json!({}));
    let refused = || answer(400, &[], "");
    for (what, holds, answers, heard) in [
        (
            "another one",
            &["r1"][..],
            vec![given("r2"), people()],
            vec!["lent r1".into(), post("r1"), "kept r2 for r1".into(), get.clone()],
        ),
        ("the same", &["r1"], vec![given("r1"), people()], vec!["lent r1".into(), post("r1"), get.clone()]),
        (
            "none, which is the same",
            &["r1"],
            vec![ok(json!({"access_token": "a"})), people()],
            vec!["lent r1".into(), post("r1"), get.clone()],
        ),
        (
            "one that another poll has replaced since",
            &["r1", "r2"],
            vec![refused(), given("r3"), people()],
            vec!["lent r1".into(), post("r1"), "lent r2".into(), post("r2"), "kept r3 for r2".into(), get.clone()],
        ),
        (
            "renewed in the middle",
            &["r1"],
            vec![given("r2"), answer(401, &[], ""), given("r3"), people()],
            vec![
                "lent r1".into(),
                post("r1"),
                "kept r2 for r1".into(),
                get.clone(),
                "lent r2".into(),
                post("r2"),
                "kept r3 for r2".into(),
                get.clone(),
            ],
        ),
    ] {
        let vendor = vendor(answers).await;
        let shelf = Arc::new(Shelf::of(&vendor, holds));
        assert_eq!(ids(ask(&kept(&vendor.url, &shelf)).await), Ok(vec!["1".to_owned()]), "{what}");
        assert_eq!(vendor.asked(), heard, "{what}");
    }
}

#[tokio::test]
async fn a_refresh_token_that_cannot_be_used_or_kept_ends_the_poll_and_says_so() {
    let refused = "the source gave no token for the credential, a refresh token: put a new one into the Secret";
    let full = "the shelf is full. If the one in the Secret is refused from now on, put a new one there";
    for (answers, failure) in [
        (vec![answer(400, &[], SECRET)], Failure::Unauthorised(refused.into())),
        (vec![given("r2"), page(&[1], json!({}))], Failure::NotKept(full.into())),
    ] {
        let vendor = vendor(answers).await;
        let shelf = Shelf { full: Some("the shelf is full"), ..Shelf::of(&vendor, &["r1"]) };
        let read = ids(ask(&kept(&vendor.url, &Arc::new(shelf))).await);
        assert_eq!(read, Err(failure));
        assert!(!vendor.asked().iter().any(|line| line.contains("people")), "{:?}", vendor.asked());
    }
    let nowhere = source("http://127.0.0.1:9", REFRESH, PEOPLE, "");
    let why = "the refresh token is another one after each use, and there is nowhere to keep it";
    assert_eq!(check(&nowhere).unwrap_err(), why);
    assert_eq!(ids(ask(&nowhere).await), Err(Failure::NotKept(why.into())));
}

#[tokio::test]
async fn a_refresh_token_is_kept_even_where_the_poll_has_ended_before_it_came() {
    let (asked, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (heard, on) = (Arc::clone(&asked), Arc::clone(&go_on));
    let url = serve(Router::new().fallback(move || {
        let (heard, on) = (Arc::clone(&heard), Arc::clone(&on));
        async move {
            heard.notify_one();
            on.notified().await;
            given("r2")()
        }
    }))
    .await;
    let nobody = vendor([]).await;
    let shelf = Arc::new(Shelf::of(&nobody, &["r1"]));
    let source = kept(&url, &shelf);
    let near = NEAR;
    let poll = read_with(&source, &near, LONG, TODAY, HURRIED);
    tokio::select! {
        _ = poll => panic!("there was no response yet"),
        () = asked.notified() => {} // and nobody waits for the poll any more
    }
    let mut holds = shelf.holds.subscribe();
    go_on.notify_one();
    holds.wait_for(|holds| holds == &["r2"]).await.unwrap();
}

#[tokio::test]
async fn an_assertion_is_signed_for_each_sign_in() {
    let auth = |words: &str, assertion: &str| {
        format!(
            "auth: {{token: {{url: 'https://hr.example.com/token', send: json, body: {{a: '{assertion}'}}, assertion: {words}}}}}"
        )
    };
    let saml = "{saml: {key: '{token}', issuer: i, nameId: n, audience: b, recipient: r}}";
    for (words, assertion) in
        [("{jwt: {algorithm: RS256, key: '{token}', claims: {iss: me}}}", "{assertion}"), (saml, "{base64 assertion}")]
    {
        let token = || ok(json!({"access_token": "a", "expires_in": 1}));
        let vendor = vendor([token(), page(&[1], json!({"next": "n"})), token(), page(&[2], json!({}))]).await;
        let people = "people: [{request: {path: /people}, records: data, paging: {cursor: {at: next, query: c}}}]";
        let Source::Api(mut api) = source(&vendor.url, &auth(words, assertion), people, "") else { unreachable!() };
        let unfit = check(&Source::Api(api)).unwrap_err();
        assert!(unfit.contains("the key that signs is no RSA private key in PEM"), "{unfit}");

        let Source::Api(again) = source(&vendor.url, &auth(words, assertion), people, "") else { unreachable!() };
        api = again;
        api.credentials = BTreeMap::from([("token".to_owned(), SecretString::from(assertion::tests::pem()))]);
        let source = Source::Api(api);
        assert_eq!(check(&source), Ok(()));
        assert_eq!(ids(ask(&source).await), Ok(vec!["1".to_owned(), "2".to_owned()]));
        let sent: Vec<_> = vendor.asked().into_iter().filter(|line| line.starts_with("POST")).collect();
        assert!(sent.len() == 2 && sent[0] != sent[1], "{sent:?}");
        let text = sent[0].split('"').nth(3).unwrap();
        if assertion == "{assertion}" {
            let claims = data_encoding::BASE64URL_NOPAD.decode(text.split('.').nth(1).unwrap().as_bytes()).unwrap();
            let claims: Value = serde_json::from_slice(&claims).unwrap();
            assert_eq!(claims["iat"], then().as_second());
        } else {
            let xml = String::from_utf8(BASE64.decode(text.as_bytes()).unwrap()).unwrap();
            assert!(xml.contains("IssueInstant=\"2026-03-02T12:00:00Z\""), "{xml}");
        }
    }
}
