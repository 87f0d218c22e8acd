use std::time::Duration;

use axum::Router;
use axum::extract::Request as Asked;
use jiff::Timestamp;
use tokio::time::Instant;

use super::super::definition::Definition;
use super::super::http::{Network, RetryPolicy, Transport};
use super::super::json::Taken;
use super::super::row::Slot;
use super::*;

const ENDLESS: &str = "
name: endless
title: Endless
evidence: documented
sources: [https://hr.example.com]
setup: none
baseUrl: https://hr.example.com
parameters: {key: {pattern: x, says: x, default: x}}
auth: {query: {key: '{key}'}}
people: [{request: {path: /people}, records: data, paging: {page: {query: page, ends: empty}}}]
fields: {fullName: id, email: id}
";

#[tokio::test]
async fn a_list_without_an_end_is_none() {
    let handler = |asked: Asked| async move { format!(r#"{{"data": [{{"id": "{}"}}]}}"#, asked.uri()) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await.unwrap() });
    let network = Network { allow_private_addresses: true, ..Network::default() };
    let deadline = Instant::now() + Duration::from_secs(30);
    let transport = Arc::new(Transport::new(&network, None, deadline, RetryPolicy::default()).unwrap());
    let definition = Definition::parse("endless.yaml", ENDLESS).unwrap();
    let values = definition.resolve(&BTreeMap::new()).unwrap();
    let (credentials, clock) = (BTreeMap::new(), || Timestamp::UNIX_EPOCH);
    let source =
        super::super::ApiSource { definition, parameters: values.clone(), credentials, token_store: None, clock };
    let session = Session::new(&source, &values, &transport).unwrap();
    let id = Taken {
        into: Slot::FullName as usize,
        paths: vec![Path::parse("id").unwrap()],
        first: false,
        with: String::new(),
        none: Vec::new(),
    };
    let paths = Arc::new(Paths::new(Some(&Path::parse("data").unwrap()), &[id], &[], Vec::new(), 0));
    let pages = Pages { most: 20, ..Pages::of(&base, &source.definition.people[0], &values, paths).unwrap() };
    let walked = pages.walk(&session, 0, |seen: &mut usize, _| {
        *seen += 1;
        Ok(())
    });
    let failure = walked.await.map(|_| ()).unwrap_err();
    assert_eq!(failure, Failure::Truncated("there is no end after 20 pages".into()));
}
