//! People are read from a real OpenLDAP, with the attributes of Active Directory and with its own: whose account is switched off loses
//! their access where the connection says so, and no lie of a directory takes anybody's.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Patch, PatchParams, PostParams};
use rollcall::api::HRConnection;
use rollcall::api::person::State;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::{Value, json};

use crate::support::installation::{Consent, Installation, a_day};
use crate::support::objects::{object, overlay};
use crate::support::slapd::{BASE, PASSWORD, READER, Slapd};

/// The id of an entry whose GUID is made of this number.
fn id(number: u8) -> String {
    [4, 2, 2, 2, 6].map(|bytes| format!("{number:02x}").repeat(bytes)).join("-")
}

fn dn(number: u8) -> String {
    format!("cn=Person {number},{BASE}")
}

/// Somebody in Active Directory, in LDIF.
fn person(rollcall: &Installation, number: u8) -> String {
    let guid = data_encoding::BASE64.encode(&[number; 16]);
    format!(
        "dn: {}\nobjectClass: inetOrgPerson\nobjectClass: user\nobjectCategory: person\ncn: Person {number}\nsn: {number}\n\
         objectGUID:: {guid}\nuserAccountControl: 512\naccountExpires: 9223372036854775807\nmail: {}\nmanager: {}\n\n",
        dn(number),
        rollcall.address(&number.to_string()),
        dn(1).to_uppercase(),
    )
}

fn control(number: u8, control: u32) -> String {
    format!("dn: {}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: {control}\n\n", dn(number))
}

fn deleted(number: u8) -> String {
    format!("dn: {}\nchangetype: delete\n\n", dn(number))
}

/// Makes the connection; `over` is laid over its source.
async fn connect(rollcall: &Installation, slapd: &Slapd, over: Value) {
    let ca: ConfigMap = object(json!({"metadata": {"name": "ldap-ca"}, "data": {"ca.crt": slapd.authority.pem()}}));
    rollcall.api().create(&PostParams::default(), &ca).await.unwrap();
    let secret: Secret = object(json!({"metadata": {"name": "ldap"}, "stringData": {"password": PASSWORD}}));
    rollcall.api().create(&PostParams::default(), &secret).await.unwrap();
    let mut ldap = json!({"directory": "ActiveDirectory", "host": "localhost", "port": slapd.port, "base": BASE,
        "bindDN": READER, "credentialsRef": {"name": "ldap"}, "pageSize": 3});
    overlay(&mut ldap, over);
    let connection: HRConnection = object(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "HRConnection", "metadata": {"name": rollcall.connection},
        "spec": {"source": {"ldap": ldap}, "schedule": {"every": "1h"},
            "network": {"allowPrivateAddresses": true, "caBundleRef": {"configMap": {"name": "ldap-ca", "key": "ca.crt"}}}},
    }));
    rollcall.api().create(&PostParams::default(), &connection).await.unwrap();
}

/// What a poll comes to, in one word, and what it found.
async fn polled(rollcall: &Installation) -> (String, String) {
    let attempt = rollcall.poll().await.status.unwrap().last_attempt.unwrap();
    (attempt.outcome, attempt.findings.join(" "))
}

#[tokio::test]
async fn whose_account_is_switched_off_loses_their_access_where_the_connection_says_that_they_left() {
    let rollcall = Installation::new("ldap", &[("apps", Consent::Accounts)]).await;
    let slapd = Slapd::start("ldap");
    slapd.adds(&(1..=10).map(|number| person(&rollcall, number)).collect::<String>());
    let _running = rollcall.run().await;
    connect(&rollcall, &slapd, json!({"inactiveMeans": "Terminated"})).await;
    rollcall.policy(json!({"fields": {"manager": "Continuous"}})).await;
    rollcall.settles(rollcall.poll().await).await;
    assert_eq!(rollcall.all_persons().await.len(), 10);
    let seven = rollcall.person(&id(7)).await.unwrap().status.unwrap();
    let manager = seven.profile.and_then(|profile| profile.manager);
    assert!(manager.is_some(), "a manager is found by the name of their entry");

    let (leaver, colleague) = (rollcall.user("7"), rollcall.user("8"));
    for (name, user) in [("seven", &leaver), ("eight", &colleague)] {
        rollcall.bind_users("apps", name, std::slice::from_ref(user)).await;
        assert!(rollcall.may_look(user, "apps").await);
    }
    // 2099-06-01, midnight of UTC; and somebody who is gone, which ends nothing.
    let expires =
        format!("dn: {}\nchangetype: modify\nreplace: accountExpires\naccountExpires: 157284288000000000\n\n", dn(6));
    slapd.changes(&format!("{}{expires}{}", control(7, 514), deleted(9)));
    rollcall.settles(rollcall.poll().await).await;
    rollcall.reaches(&id(7), Operation::Cut, Phase::Revoked).await;
    assert!(!rollcall.may_look(&leaver, "apps").await, "the leaver is refused");
    assert!(rollcall.may_look(&colleague, "apps").await, "the colleague is not");
    assert_eq!(rollcall.all_revocations().await.len(), 1, "neither an expiry to come nor absence ends anything");
    let six = rollcall.person(&id(6)).await.unwrap().status.unwrap();
    let ends = six.employments.iter().find_map(|one| one.contract_end).map(|day| day.to_string());
    assert_eq!(ends.as_deref(), Some("2099-05-31"), "the last day before it expires");
    rollcall.evidence_verifies();
}

/// Whether all ten still have what they were given.
async fn everybody_may_look(rollcall: &Installation) -> bool {
    for number in 1..=10 {
        if !rollcall.may_look(&rollcall.user(&number.to_string()), "apps").await {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn no_lie_of_a_directory_takes_anybodys_access() {
    let rollcall = Installation::new("ldap-lies", &[("apps", Consent::Accounts)]).await;
    let mut slapd = Slapd::start("lies");
    slapd.adds(&(1..=10).map(|number| person(&rollcall, number)).collect::<String>());
    let _running = rollcall.run().await;
    connect(&rollcall, &slapd, json!({"inactiveMeans": "Terminated", "tls": "StartTls", "port": slapd.plain})).await;
    rollcall.policy(json!({"limits": {"people": a_day(2)}})).await;
    rollcall.settles(rollcall.poll().await).await;
    for number in 1..=10 {
        rollcall.bind_users("apps", &format!("of-{number}"), &[rollcall.user(&number.to_string())]).await;
    }

    let limit = |words: &str| format!("limits dn.exact=\"{READER}\" {words}");
    let nobody =
        format!("access to attrs=userPassword by anonymous auth by * none\naccess to * by dn.exact=\"{READER}\" none");
    let hidden = format!("access to attrs=userAccountControl by dn.exact=\"{READER}\" none");
    for (lie, words, reason) in [
        ("a size limit for all pages", limit("size.prtotal=4"), "SizeLimitReached"),
        ("pages larger than it gives", limit("size.pr=1"), "AdminLimitReached"),
        ("nobody may read", nobody, "Missing"),
        ("who is switched off is not shown", hidden, "WrongColumns"),
    ] {
        slapd.again(&words);
        let (outcome, found) = polled(&rollcall).await;
        assert_eq!(outcome, reason, "{lie}: {found}");
    }
    slapd.again("");
    assert_eq!(polled(&rollcall).await.0, "Trusted");

    // A part of the tree lies on another server.
    slapd.adds(&format!("dn: ou=elsewhere,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: elsewhere\nref: ldap://other.example.com/ou=elsewhere,{BASE}\n"));
    let (outcome, found) = polled(&rollcall).await;
    // The search of Active Directory asks to be referred nowhere, which OpenLDAP follows too.
    assert_eq!(outcome, "Trusted", "{found}");
    slapd.changes(&format!("dn: ou=elsewhere,{BASE}\nchangetype: delete\n"));

    // It is away.
    slapd.end();
    assert_eq!(polled(&rollcall).await.0, "Unreachable");
    slapd.again("");

    // Many are gone, and all of them.
    slapd.changes(&(6..=9).map(deleted).collect::<String>());
    assert_eq!(polled(&rollcall).await.0, "Shrunk");
    slapd.changes(&(1..=5).chain([10]).map(deleted).collect::<String>());
    assert_eq!(polled(&rollcall).await.0, "Empty");
    slapd.adds(&(1..=10).map(|number| person(&rollcall, number)).collect::<String>());
    rollcall.settles(rollcall.poll().await).await;
    assert!(
        rollcall.all_revocations().await.is_empty() && everybody_may_look(&rollcall).await,
        "nobody has lost anything"
    );

    // Many are switched off: the limits of the policy hold all of them.
    slapd.changes(&(1..=5).map(|number| control(number, 514)).collect::<String>());
    rollcall.settles(rollcall.poll().await).await;
    rollcall.becomes(&id(1), State::Terminated, "Terminated").await;
    rollcall.waits_for(&id(1), "OverLimit").await;
    assert!(everybody_may_look(&rollcall).await, "nobody of the batch has lost anything");
}

#[tokio::test]
async fn an_openldap_is_read_by_its_own_attributes_and_refers_to_no_other_server() {
    let rollcall = Installation::new("ldap-own", &[]).await;
    let slapd = Slapd::start("own");
    let people = (1..=4).map(|number| {
        format!(
            "dn: uid={number},{BASE}\nobjectClass: inetOrgPerson\nobjectClass: shadowAccount\nuid: {number}\ncn: Person {number}\n\
             sn: {number}\nmail: {}\nshadowExpire: 20513\ndepartmentNumber: Ops\n\n",
            rollcall.address(&number.to_string())
        )
    });
    slapd.adds(&people.collect::<String>());
    slapd.changes(&format!(
        "dn: uid=2,{BASE}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n"
    ));
    let _sync = rollcall.sync().await;
    connect(&rollcall, &slapd, json!({"directory": "InetOrgPerson"})).await;
    rollcall.policy(json!({})).await;
    let connection = rollcall.poll().await;
    rollcall.settles(connection.clone()).await;
    let statuses = connection.status.unwrap().last_trusted.unwrap().statuses;
    assert_eq!(statuses, [("Active".to_owned(), 3), ("Suspended".to_owned(), 1)].into());
    let people = rollcall.all_persons().await;
    let ends = |person: &rollcall::api::Person| {
        person.status.as_ref().and_then(|status| status.employments.first()?.contract_end)
    };
    assert!(people.iter().all(|person| ends(person).is_some_and(|day| day.to_string() == "2026-02-28")));

    // What is asked for is what `rollcall data` lists.
    let listed = rollcall.succeeds(&["data", &rollcall.connection, "-o", "json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    assert!(listed.iter().any(|row| row["path"] == "entryUUID" && row["from"] == "LDAP search of localhost"));
    assert!(!listed.iter().any(|row| row["path"] == "telephoneNumber"), "nobody keeps it");

    // A part of the tree lies on another server, which is not asked: the answer is none.
    slapd.adds(&format!("dn: ou=elsewhere,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: elsewhere\nref: ldap://other.example.com/ou=elsewhere,{BASE}\n"));
    assert_eq!(polled(&rollcall).await.0, "Referral");
}

#[tokio::test]
async fn a_directory_that_would_be_read_without_a_name_or_without_tls_is_refused_with_what_to_write() {
    let rollcall = Installation::new("ldap-schema", &[]).await;
    let rehearse = PostParams { dry_run: true, ..PostParams::default() };
    let connection = |over: Value| -> HRConnection {
        let mut ldap = json!({"directory": "ActiveDirectory", "host": "dc.example.com", "base": BASE, "credentialsRef": {"name": "ldap"}});
        overlay(&mut ldap, over);
        object(json!({"metadata": {"name": "directory"}, "spec": {"source": {"ldap": ldap}}}))
    };
    let by_name = |over: Value| {
        let mut named = json!({ "bindDN": READER });
        overlay(&mut named, over);
        named
    };
    let connections = rollcall.api::<HRConnection>();
    for fits in [
        by_name(json!({})),
        by_name(json!({"attributes": {"team": "division"}, "scope": "OneLevel", "filter": "(objectClass=user)"})),
        json!({"tls": "StartTls"}),
        json!({"directory": "InetOrgPerson"}),
    ] {
        connections
            .create(&rehearse, &connection(fits.clone()))
            .await
            .unwrap_or_else(|error| panic!("{fits}: {error}"));
    }
    for (wrong, says) in [
        (json!({"bindDN": "", "tls": "StartTls"}), "spec.source.ldap.bindDN"),
        (json!({}), "Active Directory takes a certificate only with tls: StartTls; write it, or bindDN"),
        (by_name(json!({"base": ""})), "spec.source.ldap.base"),
        (by_name(json!({"tls": "None"})), "spec.source.ldap.tls"),
        (by_name(json!({"host": "ldap://dc.example.com"})), "spec.source.ldap.host"),
        (by_name(json!({"pageSize": 0})), "spec.source.ldap.pageSize"),
        (by_name(json!({"scope": "Base"})), "spec.source.ldap.scope"),
    ] {
        // What the schema refuses cannot be written by our own types.
        let mut sent = json!({"apiVersion": "rollcall.dev/v1alpha1", "kind": "HRConnection", "metadata": {"name": "directory"},
            "spec": {"source": {"ldap": {"directory": "ActiveDirectory", "host": "dc.example.com", "base": BASE, "credentialsRef": {"name": "ldap"}}}}});
        overlay(&mut sent, json!({"spec": {"source": {"ldap": wrong}}}));
        let patch = PatchParams { dry_run: true, ..PatchParams::apply("e2e") };
        let refused = connections.patch("directory", &patch, &Patch::Apply(&sent)).await;
        let said = refused.expect_err("refused").to_string();
        assert!(said.contains(says), "{sent}: {said}");
    }
}
