//! What a definition may ask for: only reads, only by TLS, and a token only in the ways that work.

use super::*;

#[test]
fn a_definition_can_only_read() {
    let search = |path: &str, page: &str| {
        with("path: /people,", &format!("path: {path}, search: {{page: '{page}', body: {{active: true}}}},"))
    };
    let page = "https://hr.example.com/docs";
    for path in ["/people/search", "/v2/persons:query", "/people/list", "/v1/exports"] {
        assert_eq!(parse(&search(path, page)).map(|_| ()), Ok(()), "{path}");
    }
    for path in [
        "/people",
        "/people/search/7",
        "/search/people",
        "/people/",
        "/graphql",
        "/individual",
        "/another-employer/individual",
        "/people/research",
        "/rpc/",
    ] {
        let refused = parse(&search(path, page)).unwrap_err();
        assert!(refused.contains("may write. Where it only reads, name the page that says so"), "{path}: {refused}");
        let named = search(path, page).replace("search: {page:", "search: {reads:");
        assert_eq!(parse(&named).map(|_| ()), Ok(()), "{path}");
    }
    for path in ["/people/delete", "/people:create", "/v1/UpdatePeople", "/rpc/write"] {
        for text in [search(path, page), search(path, page).replace("search: {page:", "search: {reads:")] {
            let refused = parse(&text).unwrap_err();
            assert!(refused.contains(" writes"), "{path}: {refused}");
        }
    }
    let refused = parse(&search("/people/search", "my own idea")).unwrap_err();
    assert!(refused.contains("people.0.request.search.page: a public page, https://…"), "{refused}");
    let both = search("/people/search", page).replace("search: {page", &format!("search: {{reads: '{page}', page"));
    for text in [both, search("/people/search", page).replace(&format!("page: '{page}', "), "")] {
        assert!(parse(&text).unwrap_err().contains("exactly one of page and reads"));
    }
}

#[test]
fn only_what_is_near_may_be_asked_without_tls() {
    let lies = |base: &str| with("https://{tenant}.example.com", base);
    for near in ["http://127.0.0.1:8080/{tenant}", "http://localhost/{tenant}", "http://fake.rollcall.svc/{tenant}"] {
        assert_eq!(parse(&lies(near)).map(|_| ()), Ok(()), "{near}");
    }
    for far in
        ["http://hr.example.com/{tenant}", "http://{tenant}", "http://1.1.1.1/{tenant}", "ftp://127.0.0.1/{tenant}"]
    {
        let refused = parse(&lies(far)).unwrap_err();
        assert!(refused.contains("baseUrl: does not start with https://"), "{far}: {refused}");
    }
}

const REFRESH: &str = "{grant_type: refresh_token, refresh_token: '{token}'}";

const SIGNED: &str = "{grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: '{assertion}'}";

const SAML: &str = ", assertion: {saml: {key: '{token}', issuer: a, nameId: '{tenant}', audience: b, recipient: c}}";

#[test]
fn a_token_is_asked_for_in_the_ways_that_work_and_in_no_other() {
    let token = |body: &str, more: &str| {
        with(
            "{headers: {Authorization: 'Bearer {token}'}}",
            &format!("{{token: {{url: 'https://{{tenant}}.example.com/token', body: {body}{more}}}}}"),
        )
    };
    for (body, more) in [
        ("{grant_type: client_credentials, client_secret: '{token}', scope: read}", ""),
        ("{grant_type: password, password: '{token}'}", ""),
        ("{key: '{token}'}", ", send: json, path: data.token, expiresIn: data.ttl, milliseconds: true"),
        (REFRESH, ", refreshTokenRotates: false"),
        (REFRESH, ", refreshToken: {key: token}"),
        (REFRESH, ", refreshToken: {key: token, path: data.next}"),
        (SIGNED, ", assertion: {jwt: {algorithm: RS256, key: '{token}', claims: {iss: '{tenant}'}}}"),
        (SIGNED, ", assertion: {jwt: {algorithm: HS256, key: '{token}', keyId: k, claims: {}, lifetime: 3600}}"),
        ("{assertion: '{base64 assertion}'}", SAML),
        ("{key: '{token}'}", ", header: X-Token, value: '{token}'"),
        ("{key: '{token}'}", ", at: {header: Access-Token}"),
        ("{}", ", method: get, headers: {Authorization: 'Key {token}'}"),
        ("{}", ", basic: {username: '{token}', password: x}"),
    ] {
        assert_eq!(parse(&token(body, more)).map(|_| ()), Ok(()), "{body}{more}");
    }
    for (body, more, why) in [
        (REFRESH, "", "is the refresh token another one after each use? Say refreshToken: {key: …}"),
        (REFRESH, ", refreshTokenRotates: true", "one that is another one after each use is refreshToken: {key: …}"),
        (REFRESH, ", refreshTokenRotates: false, refreshToken: {key: token}", "one that stays is false"),
        (REFRESH, ", refreshToken: {key: other}", "auth.token.refreshToken.key: other is not declared"),
        (
            "{a: b}",
            ", value: 'a {token}', refreshToken: {key: token}",
            "auth.token.refreshToken.key: {token} is not in",
        ),
        ("{grant_type: password, password: '{token}'}", ", refreshTokenRotates: false", "there is no refresh token"),
        ("{grant_type: authorization_code, code: '{token}'}", "", "a person would have to sign in"),
        ("{grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: '{token}'}", "", "needs an assertion"),
        ("{grant_type: 'urn:ietf:params:oauth:grant-type:device_code', c: '{token}'}", "", "would have to sign in"),
        ("{a: '{token}'}", SAML, "auth.token.assertion: {assertion} is not in body"),
        ("{a: '{assertion}'}", "", "auth.token.body.a: assertion is not declared under credentials or parameters"),
        (SIGNED, ", assertion: {jwt: {algorithm: none, key: '{token}', claims: {}}}", "none"),
        (
            SIGNED,
            ", assertion: {jwt: {algorithm: ES256, key: '{nobody}', claims: {}}}",
            "jwt.key: nobody is not declared",
        ),
        (
            SIGNED,
            ", assertion: {jwt: {algorithm: ES256, key: '{token}', claims: {exp: '1'}}}",
            "exp is added by itself",
        ),
        (SIGNED, ", assertion: {jwt: {algorithm: ES256, key: '{token}', claims: {}, lifetime: 5}}", "from 30 to 86400"),
        (SIGNED, ", assertion: {jwt: {algorithm: ES256, key: '{token}', claims: {}, header: x}}", "header"),
        (SIGNED, ", assertion: {xml: {key: '{token}'}}", "xml"),
        ("{key: '{token}'}", ", value: Bearer", "{token} is not in it"),
        ("{key: '{token}'}", ", method: get", "auth.token.body: a GET sends none"),
        ("{of: '{token}', of.name: x}", ", send: json", "auth.token.body: of is a text and an object"),
        ("{key: '{token}'}", ", method: put", "put"),
        ("{key: '{token}'}", ", at: {header: 'a b'}", "auth.token.at: a b is no header"),
        ("{key: '{token}'}", ", at: token", "at"),
        ("{}", "", "auth.token: nothing to sign in with: body, headers or basic"),
    ] {
        let refused = parse(&token(body, more)).unwrap_err();
        assert!(refused.contains(why), "{why}: {refused}");
    }
    let shown =
        |words: &str| with("{headers: {Authorization: 'Bearer {token}'}}", &format!("{{clientCertificate: {words}}}"));
    assert_eq!(parse(&shown("{certificate: '{token}', key: '{token}'}")).map(|_| ()), Ok(()));
    let refused = parse(&shown("{certificate: '{token}', key: '{nobody}'}")).unwrap_err();
    assert!(refused.contains("auth.clientCertificate.key: nobody is not declared"), "{refused}");
    let plain = token("{key: '{token}'}", "").replace("url: 'https", "url: 'http");
    assert!(parse(&plain).unwrap_err().contains("auth.token.url: not a URL that starts with https://"));
}
