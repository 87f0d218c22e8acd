//! No name, no address, no credential and no token in anything Rollcall says.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, PostParams};
use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::support::collector::{API_KEY, Collector};
use crate::support::files::FileServer;
use crate::support::installation::{Consent, Installation};
use crate::support::leaks::places;
use crate::support::objects::object;
use crate::support::people::full_name;
use crate::support::tokens::{legacy_secret_token, mint_unbound};
use crate::support::waiting::eventually;

#[tokio::test]
async fn names_addresses_credentials_and_tokens_are_found_nowhere() {
    let collector = Collector::serve().await;
    let tracing = json!({"endpoint": collector.url, "headers": {"secretName": "otel"}});
    let rollcall = Installation::with("leaks", &[("apps", Consent::Canaries)], json!({ "tracing": tracing })).await;
    collector.is_known_to(&rollcall).await;
    let _running = rollcall.run().await;
    let staff = rollcall.staff(1..21);
    let server = FileServer::serving(staff.csv()).await;
    let (user, password) = ("hr-reader-quux", "correct-horse-battery");
    let secret: Secret = object(json!({
        "metadata": {"name": "hr"}, "stringData": {"username": user, "password": password},
    }));
    let secrets: Api<Secret> = rollcall.api();
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    rollcall
        .connect(json!({
            "source": {"file": {"from": {"configMap": null, "http": {"url": server.url, "credentialsRef": {"name": "hr"}}}}},
            "network": {"allowPrivateAddresses": true},
        }))
        .await;
    rollcall
        .policy(
            json!({"lifecycle": {"termination": {"removeAfter": "1s"}, "leave": "Freeze", "move": {"then": "Review"}}}),
        )
        .await;
    let apps = rollcall.target("apps");
    rollcall.account("apps", "by-address", Some(&format!("email:{}", rollcall.address("7")))).await;
    rollcall.account("apps", "by-user-name", Some(&format!("user:{}", rollcall.user("7")))).await;
    rollcall.account_of("7", "apps", "by-id").await;
    let (leaver, colleague) = (rollcall.user("7"), rollcall.user("8"));
    rollcall.bind_users("apps", "own", std::slice::from_ref(&leaver)).await;
    rollcall.bind_users("apps", "shared", &[leaver, colleague]).await;
    let legacy = legacy_secret_token(&rollcall.admin, &apps, "by-id").await.0;
    let unbound = mint_unbound(&rollcall.admin, &apps, "by-id").await;
    rollcall.settles(rollcall.poll().await).await;

    for (status, kind, body) in [
        (200, "text/csv", staff.clone().person("3").hired("Zephyrine's day").csv()),
        (200, "text/csv", staff.clone().person("3").status("Zephyrine left us").csv()),
        (200, "text/csv", staff.csv() + staff.csv().lines().last().unwrap() + "\n"),
        (200, "text/csv", staff.csv().lines().skip(1).map(|line| line.to_owned() + "\n").collect()), // people for headers
        (200, "text/html", format!("<html>{} {}</html>", full_name("3"), rollcall.address("3"))),
        (500, "text/plain", format!("cannot read {} as {user}:{password}", rollcall.address("3"))),
    ] {
        server.answers(status, kind, body);
        rollcall.poll().await;
    }
    let staff = staff.person("9").status("leave").person("10").department("Elsewhere");
    server.answers(200, "text/csv", staff.person("7").terminated().csv());
    rollcall.settles(rollcall.poll().await).await;
    rollcall.reaches("7", Operation::Remove, Phase::Revoked).await;
    rollcall.reaches("9", Operation::Freeze, Phase::Frozen).await;

    let mut forbidden = vec![
        ("a family name", "Zephyrine".to_owned()),
        ("a given name", "Quillon".to_owned()),
        ("an address", rollcall.address("7").split_once('@').unwrap().1.to_owned()),
        ("the user name for the HR system", user.to_owned()),
        ("the password for the HR system", password.to_owned()),
        ("both as they are sent", data_encoding::BASE64.encode(format!("{user}:{password}").as_bytes())),
        ("any token", "eyJhbGciOi".to_owned()),
        ("the credential for the collector of traces", API_KEY.to_owned()),
    ];
    for (what, token) in [("the legacy token", legacy), ("the unbound token", unbound)] {
        forbidden.push((what, token.0.rsplit('.').next().unwrap().to_owned())); // the signature, which is the secret
    }
    let there = places(&rollcall, &[("the name of the connection", rollcall.connection.clone())]).await;
    assert!(there.len() > 2, "the search finds what is there: {there:?}");
    let found = places(&rollcall, &forbidden).await;
    assert!(found.is_empty(), "{found:#?}");
    traces_say_nothing_of(&collector, &rollcall, &forbidden).await;
    commands_say_nothing_of(&rollcall, &forbidden);
}

/// What the traces say of all that.
async fn traces_say_nothing_of(collector: &Collector, rollcall: &Installation, forbidden: &[(&str, String)]) {
    let there = [&rollcall.connection, "rollcall-revoke", "rollcall.target.kind", "\"freeze\""];
    let text = eventually("the search finds what is there", || async {
        let text = collector.text().to_lowercase();
        there.iter().all(|word| text.contains(word)).then_some(text)
    })
    .await;
    for (what, word) in forbidden {
        assert!(!text.contains(&word.to_lowercase()), "{what} in a trace");
    }
}

/// What the commands about people say, unless names are asked for.
fn commands_say_nothing_of(rollcall: &Installation, forbidden: &[(&str, String)]) {
    let (seven, address) = (rollcall.mark("7"), rollcall.address("7"));
    let commands = [
        vec!["people"],
        vec!["people", "--leavers", "--output", "wide"],
        vec!["people", "--output", "json"],
        vec!["people", "--output", "yaml"],
        vec!["people", "--output", "csv"],
        vec!["why", &seven],
        vec!["why", &address],
        vec!["export", &seven],
    ];
    for command in commands {
        let said = rollcall.succeeds(&command).to_lowercase();
        assert!(said.contains(&format!("{}/7", rollcall.connection)) || command[0] == "export", "{command:?}: {said}");
        for (what, word) in forbidden {
            assert!(!said.contains(&word.to_lowercase()), "{what} in what {command:?} says");
        }
    }
    let named = rollcall.succeeds(&["people", "--unmask"]);
    assert!(named.contains("Zephyrine"), "the search finds what is there");
}
