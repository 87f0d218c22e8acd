//! Who may see anything at all: the browser that opened the address which was printed, on this machine, and nobody on its behalf.
//!
//! Other pages in the same browser, other names for this address (DNS rebinding), other programs of this machine and other people
//! who can reach its loopback are all outside. The token of the address is exchanged for a cookie that scripts cannot read, that is
//! sent for no other site, and only below a path which nobody can guess: cookies know no ports, so that without it another program
//! on this machine that the same browser visits would be sent it too.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};

/// Nothing is loaded from elsewhere, and nothing that stands in a page itself is run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What every response says of itself.
const HEADERS: [(&str, &str); 8] = [
    ("content-security-policy", POLICY),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// The name of the cookie.
const COOKIE: &str = "rollcall";

/// Why nobody is let in, without a word of what is behind.
const CLOSED: &str = "Open the address that `kubectl rollcall ui` printed. If it was ended since, start it again.\n";

/// What a request shows of where it comes from.
#[derive(Clone, Debug, Default)]
pub struct Knock {
    method: Method,
    path: String,
    token: Option<String>,
    host: Option<String>,
    origin: Option<String>,
    site: Option<String>,
    cookies: Vec<String>,
}

impl Knock {
    /// Reads it off a request.
    pub fn of(request: &Request) -> Self {
        let header = |name: header::HeaderName| {
            let all = request.headers().get_all(name);
            all.iter().map(|value| value.to_str().unwrap_or("?").to_owned()).collect::<Vec<_>>()
        };
        // Of a header that must stand there once, several are none of ours.
        let one = |name: header::HeaderName| Some(header(name).join(",")).filter(|text| !text.is_empty());
        let query = request.uri().query().unwrap_or_default();
        let token = query.split('&').find_map(|pair| pair.strip_prefix("token=")).map(str::to_owned);
        let cookies = header(header::COOKIE);
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            token,
            host: one(header::HOST),
            origin: one(header::ORIGIN),
            site: one(header::HeaderName::from_static("sec-fetch-site")),
            cookies: cookies.iter().flat_map(|line| line.split(';')).map(|pair| pair.trim().to_owned()).collect(),
        }
    }
}

/// Whether a request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Not, and with which code and words.
    Refused(StatusCode, &'static str),
    /// It brought the token, and gets the cookie.
    Enters,
    /// It may see the page at this path.
    In(String),
}

/// The door.
pub struct Door {
    port: u16,
    token: [u8; 32],
    cookie: String,
    place: String,
}

impl Door {
    /// A new one for a port, and the token that opens it; `None` where there are no random numbers.
    pub fn new(port: u16) -> Option<(Self, String)> {
        let random = SystemRandom::new();
        let word = || {
            let mut bytes = [0_u8; 32];
            random.fill(&mut bytes).ok()?;
            Some(data_encoding::HEXLOWER.encode(&bytes))
        };
        let (token, cookie, place) = (word()?, word()?, word()?);
        let place = place.chars().take(16).collect();
        Some((Self { port, token: digest(&token), cookie, place }, token))
    }

    /// The path that all pages are below.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The cookie, as it is set.
    pub fn cookie(&self) -> Option<HeaderValue> {
        let (cookie, place) = (&self.cookie, &self.place);
        HeaderValue::from_str(&format!("{COOKIE}={cookie}; Path=/{place}/; HttpOnly; SameSite=Strict")).ok()
    }

    /// Whether a request is answered.
    pub fn admits(&self, knock: &Knock) -> Admission {
        if !matches!(knock.method, Method::GET | Method::HEAD) {
            return Admission::Refused(StatusCode::METHOD_NOT_ALLOWED, "Nothing can be changed here.\n");
        }
        let hosts = [format!("127.0.0.1:{}", self.port), format!("localhost:{}", self.port)];
        let here = |text: &String| hosts.contains(text);
        let ours = |origin: &String| origin.strip_prefix("http://").is_some_and(|host| here(&host.to_owned()));
        let own_site = |site: &String| ["none", "same-origin"].contains(&site.as_str());
        let from_here = knock.host.as_ref().is_some_and(here)
            && knock.origin.as_ref().is_none_or(ours)
            && knock.site.as_ref().is_none_or(own_site);
        let closed = Admission::Refused(StatusCode::FORBIDDEN, CLOSED);
        if !from_here {
            return closed;
        }
        if knock.path == "/" {
            let right = knock.token.as_ref().is_some_and(|token| digest(token) == self.token);
            return if right { Admission::Enters } else { closed };
        }
        let wanted = digest(&format!("{COOKIE}={}", self.cookie));
        let path = knock.path.strip_prefix('/').and_then(|path| path.strip_prefix(&self.place)?.strip_prefix('/'));
        match path {
            Some(path) if knock.cookies.iter().any(|cookie| digest(cookie) == wanted) => Admission::In(path.to_owned()),
            _ => closed,
        }
    }
}

/// Digests are compared, so that the time it takes tells nothing of the word.
fn digest(word: &str) -> [u8; 32] {
    Sha256::digest(word.as_bytes()).into()
}

/// The response with what it says of itself.
pub fn guarded(mut response: Response<Body>) -> Response<Body> {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door() -> (Door, String) {
        Door::new(4711).unwrap()
    }

    fn knock(path: &str) -> Knock {
        Knock { path: path.to_owned(), host: Some("127.0.0.1:4711".into()), ..Knock::default() }
    }

    fn inside(door: &Door, page: &str) -> Knock {
        let cookies = vec!["theme=dark".to_owned(), format!("rollcall={}", door.cookie)];
        Knock { cookies, ..knock(&format!("/{}/{page}", door.place)) }
    }

    fn is_in(door: &Door, knock: &Knock) -> bool {
        matches!(door.admits(knock), Admission::In(_))
    }

    #[test]
    fn the_address_that_was_printed_lets_in_and_no_other() {
        let (door, token) = door();
        let with = |token: Option<&str>| Knock { token: token.map(str::to_owned), ..knock("/") };
        assert_eq!(door.admits(&with(Some(&token))), Admission::Enters);
        for wrong in [None, Some(""), Some("0"), Some(door.cookie.as_str()), Some(door.place.as_str())] {
            assert_eq!(door.admits(&with(wrong)), Admission::Refused(StatusCode::FORBIDDEN, CLOSED), "{wrong:?}");
        }
        let (_, other) = super::Door::new(4711).unwrap();
        assert_ne!(token, other, "each start has a token of its own");
    }

    #[test]
    fn pages_are_for_who_has_the_cookie_and_knows_the_place() {
        let (door, token) = door();
        assert_eq!(door.admits(&inside(&door, "people")), Admission::In("people".to_owned()));
        assert_eq!(door.admits(&inside(&door, "")), Admission::In(String::new()));
        let no_cookie = Knock { cookies: Vec::new(), ..inside(&door, "people") };
        let wrong_cookie = Knock { cookies: vec![format!("rollcall={token}")], ..inside(&door, "people") };
        let elsewhere = Knock { path: "/people".into(), ..inside(&door, "people") };
        let wrong_place = Knock { path: format!("/{}x/people", door.place), ..inside(&door, "people") };
        for (what, knock) in [
            ("no cookie", no_cookie),
            ("the token for a cookie", wrong_cookie),
            ("no place", elsewhere),
            ("a wrong place", wrong_place),
        ] {
            assert_eq!(door.admits(&knock), Admission::Refused(StatusCode::FORBIDDEN, CLOSED), "{what}");
        }
        let cookie = door.cookie().unwrap();
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.ends_with("; HttpOnly; SameSite=Strict") && cookie.contains(&format!("Path=/{}/", door.place)));
    }

    #[test]
    fn no_other_site_name_or_method_is_answered_even_with_the_cookie() {
        let (door, _) = door();
        let good = || inside(&door, "people");
        let some = |text: &str| Some(text.to_owned());
        for (what, knock, expected) in [
            ("as it is", good(), true),
            ("by its other name", Knock { host: some("localhost:4711"), ..good() }, true),
            ("from its own page", Knock { origin: some("http://127.0.0.1:4711"), ..good() }, true),
            ("opened by hand", Knock { site: some("none"), ..good() }, true),
            ("asked by its own page", Knock { site: some("same-origin"), ..good() }, true),
            ("a name that was rebound", Knock { host: some("evil.example.com:4711"), ..good() }, false),
            ("a name without a port", Knock { host: some("localhost"), ..good() }, false),
            ("another port", Knock { host: some("127.0.0.1:80"), ..good() }, false),
            ("no host", Knock { host: None, ..good() }, false),
            ("two hosts", Knock { host: some("127.0.0.1:4711,evil.example.com"), ..good() }, false),
            ("another origin", Knock { origin: some("http://evil.example.com"), ..good() }, false),
            ("an origin of another port", Knock { origin: some("http://127.0.0.1:3000"), ..good() }, false),
            ("an origin that hides", Knock { origin: some("null"), ..good() }, false),
            ("the same over TLS", Knock { origin: some("https://127.0.0.1:4711"), ..good() }, false),
            ("a page of another site", Knock { site: some("cross-site"), ..good() }, false),
            ("a page of another port", Knock { site: some("same-site"), ..good() }, false),
            ("a write", Knock { method: Method::POST, ..good() }, false),
            ("a question before a write", Knock { method: Method::OPTIONS, ..good() }, false),
            ("a look at the headers", Knock { method: Method::HEAD, ..good() }, true),
        ] {
            assert_eq!(is_in(&door, &knock), expected, "{what}");
        }
    }

    #[test]
    fn nothing_inline_runs_and_nothing_is_framed_kept_or_read_by_others() {
        let response = guarded(Response::new(Body::empty()));
        let says = |name: &str| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
        let policy = says("content-security-policy");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe") && !policy.contains('*'));
        assert_eq!(says("x-frame-options"), "DENY");
        assert_eq!(says("cache-control"), "no-store");
        assert_eq!(says("cross-origin-resource-policy"), "same-origin");
        assert_eq!(says("referrer-policy"), "no-referrer");
    }
}
