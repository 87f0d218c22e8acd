//! A source behind TLS, on this machine: its own authority, and what it wants to be shown.

use test_tls::{Authority, serve};

use super::*;

/// The network of a connection that trusts an authority of its own.
pub(super) fn network_of(authority: &Authority) -> Network {
    Network { authorities: authorities(authority.pem().as_bytes()).unwrap(), ..NEAR.clone() }
}

async fn read(source: &Source, network: &Network) -> Result<usize, Failure> {
    Ok(read_with(source, network, LONG, TODAY, HURRIED).await?.employees.len())
}

fn csv() -> Router {
    Router::new().fallback(|| async { CSV })
}

#[tokio::test]
async fn an_authority_of_a_connections_own_is_trusted_by_it_alone() {
    let (own, other) = (Authority::new(), Authority::new());
    let source = file(&serve(own.server("localhost", None), csv()).await);
    assert_eq!(read(&source, &network_of(&own)).await, Ok(1));
    for network in [NEAR.clone(), network_of(&other)] {
        let Err(Failure::Unreachable(why)) = read(&source, &network).await else { panic!("trusted") };
        assert!(why.starts_with("no TLS with localhost: "), "{why}");
    }
}

#[tokio::test]
async fn a_source_that_wants_a_certificate_is_shown_it_on_the_way_to_the_token_and_to_the_data() {
    let (own, people) = (Authority::new(), Authority::new());
    let token = || async { json!({"access_token": "t"}).to_string() };
    let list = || async { json!({"data": [{"name": "Ada Example", "email": "ada@example.com"}]}).to_string() };
    let router =
        Router::new().route("/token", axum::routing::post(token)).route("/api/people", axum::routing::get(list));
    let url = serve(own.server("localhost", Some(&people)), router).await;
    let definition = |auth: &str| {
        let text = format!(
            "name: tls\ntitle: TLS\nevidence: documented\nsources: [https://hr.example.com]\nsetup: none\n\
             baseUrl: {url}/api\ncredentials: {{certificate: a certificate, key: its key}}\nauth:\n  \
             token: {{url: '{url}/token', body: {{grant_type: client_credentials}}}}\n  {auth}\n\
             people: [{{request: {{path: /people}}, records: data}}]\nfields: {{fullName: name, email: email}}\n"
        );
        Definition::parse("tls.yaml", &text).unwrap()
    };
    let shown = "clientCertificate: {certificate: '{certificate}', key: '{key}'}";
    let (certificate, key) = people.client("rollcall");
    let (foreign, foreign_key) = own.client("rollcall");
    let source = |certificate: &str, key: &str| {
        let keys = [("certificate", certificate), ("key", key)];
        let credentials = keys.map(|(name, pem)| (name.to_owned(), SecretString::from(pem))).into();
        ApiSource {
            definition: definition(shown),
            parameters: BTreeMap::new(),
            credentials,
            token_store: None,
            clock: then,
        }
    };
    let api = |source: ApiSource| Source::Api(Box::new(source));

    let good = source(&certificate, &key);
    assert_eq!(read(&api(good), &network_of(&own)).await, Ok(1));
    let stranger = read(&api(source(&foreign, &foreign_key)), &network_of(&own)).await;
    assert!(matches!(stranger, Err(Failure::Unreachable(_))), "{stranger:?}");
    for (certificate, key) in [(certificate, foreign_key), ("Ada".into(), "Example".into())] {
        let unfit = api(source(&certificate, &key));
        assert_eq!(check(&unfit).unwrap_err(), "certificate and key are no pair in PEM");
        let failure = Failure::Unauthorised("certificate and key are no pair in PEM".into());
        assert_eq!(read(&unfit, &network_of(&own)).await, Err(failure));
    }
}
