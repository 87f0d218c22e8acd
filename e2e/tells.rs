//! Turns of people, and what came of Revocations, are sent as CloudEvents: none is lost while the receiver is away or the process is
//! killed, none says a name, none holds up a cut; and who sends them can do nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use rollcall::api::person::State as Is;
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{Person, Revocation};
use serde_json::{Value, json};

use crate::support::attempts::Try::{Create, Delete, Patch as Change, Status};
use crate::support::attempts::*;
use crate::support::installation::{Consent, Installation};
use crate::support::people::full_name;
use crate::support::waiting::eventually;

/// How the receiver answers.
#[derive(Clone, Debug, Default)]
enum Mood {
    /// It is down.
    #[default]
    Down,
    /// It refuses what is about this Person.
    Refuses(String),
    /// It takes everything.
    Takes,
    /// It takes everything, and answers that it failed when it sees something for the first time.
    TakesAndFails,
}

#[derive(Default)]
struct Heard {
    mood: Mood,
    /// What it took, in its order, as often as it came.
    taken: Vec<Value>,
    /// How often it was asked.
    asked: usize,
    /// Everything that was ever sent to it.
    texts: Vec<String>,
}

#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Heard>>);

impl Receiver {
    async fn serve() -> (Self, String) {
        let receiver = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (receiver, url)
    }

    fn is(&self, mood: Mood) {
        self.0.lock().unwrap().mood = mood;
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().asked
    }

    fn taken(&self) -> Vec<Value> {
        self.0.lock().unwrap().taken.clone()
    }

    /// What it took of a person, each once: as a receiver keeps it that drops what it has.
    fn of(&self, person: &str) -> Vec<Value> {
        let mut known = BTreeSet::new();
        let theirs = self.taken().into_iter().filter(|event| event["subject"] == person);
        theirs.filter(|event| known.insert(event["id"].as_str().unwrap().to_owned())).collect()
    }

    /// The types of what it took of a person, without what all of them have.
    fn kinds(&self, person: &str) -> Vec<String> {
        let kind = |event: Value| event["type"].as_str().unwrap().replace("dev.rollcall.", "").replace(".v1", "");
        self.of(person).into_iter().map(kind).collect()
    }
}

async fn answer(State(receiver): State<Receiver>, request: Request) -> Response {
    assert_eq!(request.headers()["content-type"], "application/cloudevents+json; charset=utf-8");
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let event: Value = serde_json::from_str(&text).unwrap();
    let mut heard = receiver.0.lock().unwrap();
    heard.asked += 1;
    heard.texts.push(text);
    let status = match heard.mood.clone() {
        Mood::Down => 503,
        Mood::Refuses(person) if event["subject"] == person.as_str() => 400,
        Mood::TakesAndFails if !heard.taken.iter().any(|taken| taken["id"] == event["id"]) => {
            heard.taken.push(event);
            500
        }
        _ => {
            heard.taken.push(event);
            202
        }
    };
    Response::builder().status(status).body(Body::from(r#"{"error": "Quillon8 Zephyrine is not known"}"#)).unwrap()
}

/// An installation that tells this receiver.
async fn telling(story: &str, url: &str) -> Installation {
    let tell = json!({"enabled": true, "receiver": url, "source": "https://cluster.example.com", "allowPrivateAddresses": true});
    Installation::with(story, &[("apps", Consent::Accounts)], json!({ "tell": tell })).await
}

async fn name(rollcall: &Installation, id: &str) -> String {
    rollcall.person(id).await.unwrap().name_any()
}

#[tokio::test]
async fn each_turn_and_each_end_is_told_however_long_the_receiver_is_away_and_whoever_is_killed() {
    let (receiver, url) = Receiver::serve().await;
    let rollcall = telling("tells", &url).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": crate::support::installation::a_day(10)}})).await;
    rollcall.account_of("7", "apps", "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let tell = rollcall.tell(&url).await;
    eventually("it is written down where telling begins", || async {
        rollcall.api::<ConfigMap>().get_opt("rollcall-told-0").await.unwrap()
    })
    .await;
    let [seven, eight, nine] = [name(&rollcall, "7").await, name(&rollcall, "8").await, name(&rollcall, "9").await];

    // The receiver is down, and all of it happens. Nothing waits for it.
    let day = |days: i64| {
        let at = Timestamp::now() + SignedDuration::from_hours(24 * days);
        at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
    };
    rollcall.learn(&staff.clone().person("8").status("leave").person("9").last_day(&day(20))).await;
    rollcall.becomes("8", Is::Leave, "OnLeave").await;
    tell.kill();
    let later = staff.clone().person("9").last_day(&day(40)).person("11");
    rollcall.learn(&later.clone().person("8").active()).await;
    rollcall.learn(&later.clone().person("7").terminated()).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    let asked = receiver.asked();
    eventually("it is tried again", || async { (receiver.asked() > asked).then_some(()) }).await;
    assert_eq!(receiver.taken(), Vec::<Value>::new());
    let eleven = name(&rollcall, "11").await;

    // It refuses whatever is about one person: that holds up nobody else.
    receiver.is(Mood::Refuses(eight.clone()));
    let of_seven = ["person.terminated", "revocation.released", "revocation.revoked"];
    let of_nine = ["person.notice-given", "person.notice-changed"];
    for (person, expected) in [(&seven, &of_seven[..]), (&nine, &of_nine[..]), (&eleven, &["person.joined"][..])] {
        eventually("all of the others is told, in its order", || async {
            (receiver.kinds(person) == expected).then_some(())
        })
        .await;
    }
    assert!(receiver.kinds(&eight).is_empty());

    // It takes what it says that it did not take; the process is killed meanwhile.
    receiver.is(Mood::TakesAndFails);
    tell.kill();
    eventually("it took the first of the rest", || async { (!receiver.kinds(&eight).is_empty()).then_some(()) }).await;
    tell.kill();
    receiver.is(Mood::Takes);
    let of_eight = ["person.on-leave", "person.back"];
    eventually("and the other", || async { (receiver.kinds(&eight) == of_eight).then_some(()) }).await;
    // Back in an employment of another year: told after what came before, and with the next number.
    rollcall.learn(&later.person("7").active().hired("2026-01-05")).await;
    eventually("a rehire is told", || async {
        receiver.kinds(&seven).contains(&"person.rehired".to_owned()).then_some(())
    })
    .await;

    numbers_and_ids_are_those_of_the_cluster(&rollcall, &receiver).await;
    let before = receiver.taken();
    let told = rollcall.api::<ConfigMap>().list(&ListParams::default().labels("rollcall.dev/part=told")).await.unwrap();
    assert_eq!(told.items.len(), 16);
    tell.kill();
    rollcall.learn(&rollcall.staff(1..12).person("7").hired("2026-01-05").person("10").status("leave")).await;
    let ten = name(&rollcall, "10").await;
    eventually("the next turn is told", || async { (receiver.kinds(&ten) == ["person.on-leave"]).then_some(()) }).await;
    let again = receiver.taken().split_off(before.len());
    let again = again.iter().filter(|event| before.iter().any(|known| known["id"] == event["id"])).count();
    assert!(again <= 1, "what was told is not told once more: {again}");
    let texts = receiver.0.lock().unwrap().texts.join("\n").to_lowercase();
    let logs: String = rollcall.logs().iter().map(|log| std::fs::read_to_string(log).unwrap()).collect();
    for personal in [
        full_name("7"),
        "zephyrine".to_owned(),
        rollcall.address("7"),
        format!("{}.example.com", rollcall.connection),
        "@".to_owned(),
    ] {
        assert!(!texts.contains(&personal.to_lowercase()), "an event says {personal}");
        assert!(personal == "@" || !logs.to_lowercase().contains(&personal.to_lowercase()), "a log says {personal}");
    }
    rollcall.evidence_verifies();
}

/// Whatever stands in the cluster was told once, by its number, and nothing else was.
async fn numbers_and_ids_are_those_of_the_cluster(rollcall: &Installation, receiver: &Receiver) {
    for person in rollcall.api::<Person>().list(&ListParams::default()).await.unwrap() {
        let status = person.status.clone().unwrap();
        let stands: BTreeMap<u32, String> =
            status.turns.iter().map(|turned| (turned.number, turned.turn.word().to_owned())).collect();
        eventually("each turn is told, with its number and the ids of its record", || async {
            let of_turns = receiver.of(&person.name_any()).into_iter().filter(|event| event["data"]["number"].is_u64());
            let told: Vec<(u32, String)> = of_turns
                .map(|event| {
                    let data = &event["data"];
                    let records: Vec<String> =
                        person.spec.records.iter().map(|one| format!("{}/{}", one.connection, one.id)).collect();
                    assert_eq!((&data["person"], &data["records"]), (&json!(person.name_any()), &json!(records)));
                    assert_eq!(data["uid"], json!(person.uid()));
                    let number = u32::try_from(data["number"].as_u64().unwrap()).unwrap();
                    (number, data["turn"].as_str().unwrap().to_owned())
                })
                .collect();
            (told == stands.clone().into_iter().collect::<Vec<_>>()).then_some(())
        })
        .await;
    }
    let revocations = rollcall.api::<Revocation>().list(&ListParams::default()).await.unwrap();
    let ended = revocations.iter().filter(|one| one.status.as_ref().is_some_and(|s| s.phase == Some(Phase::Revoked)));
    for revocation in ended {
        let told: Vec<Value> = receiver.of(&revocation.spec.person);
        let end: Vec<&Value> = told.iter().filter(|event| event["data"]["what"] == "revoked").collect();
        let of_it = |event: &&&Value| event["data"]["uid"] == json!(revocation.uid());
        let [end] = end.iter().filter(of_it).collect::<Vec<_>>()[..] else { panic!("told once: {told:?}") };
        let verdicts = &end["data"]["verdicts"];
        let proved = verdicts["observed"].as_u64().unwrap() + verdicts["implied"].as_u64().unwrap();
        assert_eq!(proved as usize, revocation.status.as_ref().unwrap().verdicts.len(), "{end}");
    }
}

const NEVER: &str = "rollcall tell never does this";
const OTHER_MAPS: &str = "of ConfigMaps, rollcall tell writes only what it has told, which nothing holds";
const OTHER_LEASES: &str = "of Leases, rollcall tell writes only its own";

#[tokio::test]
async fn the_identity_that_tells_stolen_can_read_and_say_and_nothing_else() {
    let rollcall = telling("tell-cage", "https://siem.example.com/events").await;
    crate::policies::make(
        &rollcall,
        PEOPLE,
        json!({"metadata": {"name": "p-7"}, "spec": {"records": [{"connection": "hq", "id": "7"}]}}),
    )
    .await;
    for name in ["rollcall-told-3", "people"] {
        crate::policies::make(&rollcall, CONFIG_MAPS, json!({"metadata": {"name": name}, "data": {"a": "b"}})).await;
    }
    crate::policies::make(&rollcall, SECRETS, json!({"metadata": {"name": "credential"}})).await;
    let (own, lease) = (rollcall.namespace.clone(), format!("{}-tell", rollcall.release));
    let tell = rollcall.cluster.acting_as(&rollcall.identity("tell"), &["system:authenticated"]).await;
    let people: Api<Person> = Api::namespaced(tell.clone(), &own);
    eventually("its rights are there", || async { people.list(&ListParams::default()).await.ok() }).await;
    let secrets: Api<Secret> = Api::namespaced(tell.clone(), &own);
    assert!(secrets.get("credential").await.is_err() && secrets.list(&ListParams::default()).await.is_err());
    let maps: Api<ConfigMap> = Api::namespaced(tell, &own);
    assert!(maps.get("people").await.is_err(), "nor the file of people");
    let named = |name: &str| json!({"metadata": {"name": name}});
    let data = || json!({"data": {"a": "c"}});
    let held = json!({"metadata": {"finalizers": ["example.com/x"]}});
    let leaves = json!({"spec": {"declared": {"reason": "r", "until": "2099-01-01T00:00:00Z", "by": "tell"}}});
    let uid = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}]);

    // With its own rights.
    each(
        &rollcall,
        &own,
        vec![
            ("tell", "begins to write what it told", CONFIG_MAPS, Create(named("rollcall-told-f")), "none"),
            ("tell", "its Lease", LEASES, Create(named(&lease)), "none"),
            ("tell", "forges the ledger", CONFIG_MAPS, Create(named("rollcall-ledger")), "policy"),
            ("tell", "stops everything", CONFIG_MAPS, Create(named("rollcall-stop")), "policy"),
            ("tell", "writes the HR file", CONFIG_MAPS, Change("people", data()), "rbac"),
            ("tell", "deletes what it told", CONFIG_MAPS, Delete("rollcall-told-3"), "rbac"),
            ("tell", "declares that somebody leaves", PEOPLE, Change("p-7", leaves), "rbac"),
            ("tell", "writes a status", PEOPLE, Status("p-7", json!({"policy": "x"})), "rbac"),
            ("tell", "makes a Revocation", REVOCATIONS, Create(named("r")), "rbac"),
            ("tell", "takes control's Lease", LEASES, Create(named("control")), "policy"),
        ],
    )
    .await;

    // With every right there is, the policy alone decides.
    every_right(&rollcall, &[rollcall.identity("tell")]).await;
    eventually("its rights are there", || async {
        let (layer, said) = attempt(&rollcall, "tell", &own, CONFIG_MAPS, &Change("people", data())).await;
        (layer == "policy" && said.contains(OTHER_MAPS)).then_some(())
    })
    .await;
    let apps = rollcall.target("apps");
    let mut attacked = BTreeSet::new();
    for (what, namespace, resource, tried, rule) in [
        ("changes a Person", &own, PEOPLE, Change("p-7", json!({"metadata": {"annotations": {"a": "b"}}})), NEVER),
        ("deletes what it told", &own, CONFIG_MAPS, Delete("rollcall-told-3"), NEVER),
        ("makes an account", &own, ACCOUNTS, Create(named("new")), NEVER),
        ("makes a Secret", &own, SECRETS, Create(named("new")), NEVER),
        ("tells elsewhere", &apps, CONFIG_MAPS, Create(named("rollcall-told-1")), NEVER),
        ("writes the HR file", &own, CONFIG_MAPS, Change("people", data()), OTHER_MAPS),
        ("a name that only begins so", &own, CONFIG_MAPS, Create(named("rollcall-told-1x")), OTHER_MAPS),
        ("what never goes", &own, CONFIG_MAPS, Change("rollcall-told-3", held), OTHER_MAPS),
        (
            "what goes with another",
            &own,
            CONFIG_MAPS,
            Change("rollcall-told-3", json!({"metadata": {"ownerReferences": uid}})),
            OTHER_MAPS,
        ),
        ("control's Lease", &own, LEASES, Create(named(&format!("{}-control", rollcall.release))), OTHER_LEASES),
    ] {
        let (layer, said) = attempt(&rollcall, "tell", namespace, resource, &tried).await;
        assert!(layer == "policy" && said.contains(rule), "{what}: {layer}: {said}");
        attacked.insert(rule.to_owned());
    }
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(rollcall.admin.clone());
    let policy = policies.get(&format!("{}-tell", rollcall.release)).await.unwrap();
    let written: BTreeSet<String> =
        policy.spec.unwrap().validations.unwrap().into_iter().filter_map(|rule| rule.message).collect();
    assert_eq!(attacked, written, "every rule has its attack");
}
