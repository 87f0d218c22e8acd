//! What an admin keeps open: status, doctor, sync, suspend, hold and events, with one's own rights against a real API server.

use rollcall::api::revocation::{Operation, Phase};
use serde_json::{Value, json};

use crate::support::installation::{Consent, Installation};
use crate::support::process::rollcall as binary;
use crate::support::waiting::eventually;

#[tokio::test]
async fn an_admin_sees_what_is_wrong_reads_now_and_holds_somebody() {
    let (rollcall, _running, staff) = Installation::with_seven("commands", Consent::Accounts, json!({})).await;
    let (hq, people) = (rollcall.connection.clone(), rollcall.all_persons().await.len());

    // The source is read now: trusted, held, and not at all.
    assert!(rollcall.succeeds(&["read-now", &hq]).contains(&format!("read and trusted, {people} people")));
    rollcall.file("").await;
    let held = rollcall.says(&["read-now", &hq]);
    assert_eq!(held.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&held.stderr).contains("Missing"), "{held:?}");
    rollcall.succeeds(&["suspend", &hq, "--reason", "migration"]);
    let said = rollcall.fails(&["read-now", &hq]);
    assert!(said.contains("is suspended") && said.contains("migration"), "{said}");
    rollcall.succeeds(&["resume", &hq]);
    assert!(rollcall.fails(&["resume", &hq]).contains("is not suspended"));
    rollcall.learn(&staff).await;

    // What the source was trusted with, and when not, is kept on the connection, and told.
    let shown: Value = serde_json::from_str(&rollcall.succeeds(&["status", &hq, "--output", "json"])).unwrap();
    let trust = shown["trust"].as_array().unwrap();
    let told: Vec<_> = trust.iter().map(|one| (&one["trusted"], one["reason"].as_str().unwrap())).collect();
    assert_eq!(
        told[..3],
        [(&json!(true), "Trusted"), (&json!(false), "Missing"), (&json!(true), "Trusted")],
        "{shown}"
    );
    assert_eq!((&trust[0]["people"], &trust[1]["people"]), (&json!(people), &Value::Null), "{shown}");
    let listed = rollcall.succeeds(&["status", &hq]);
    assert!(listed.contains("TRUSTED") && listed.contains("Missing"), "{listed}");

    // A hold keeps a leaver's access, and shows by whom.
    let record = format!("{hq}/7");
    rollcall.succeeds(&["hold", &record, "--reason", "a dispute", "--yes"]);
    rollcall.learn(&staff.person("7").terminated()).await;
    rollcall.waits_for("7", "Hold").await;
    let glance: Value = serde_json::from_str(&rollcall.succeeds(&["status", "--output", "json"])).unwrap();
    assert_eq!(
        (&glance["revocations"]["Held"], &glance["connections"][0]["people"]),
        (&json!(1), &json!(people)),
        "{glance}"
    );
    assert!(rollcall.succeeds(&["status", &record]).contains("a dispute"));
    rollcall.succeeds(&["hold", &record, "--lift", "--yes"]);
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    assert!(rollcall.fails(&["hold", &record, "--lift", "--yes"]).contains("there is no hold"));
    let events = rollcall.succeeds(&["events"]);
    assert!(
        events.contains("OBJECT") && events.contains("hrconnection/") && !events.contains("@example.com"),
        "{events}"
    );

    // Each command that prints data prints the same as JSON and as YAML, and for people.
    for command in [
        &["status"] as &[&str],
        &["status", &hq],
        &["status", &record],
        &["why", &record],
        &["people", "--findings"],
        &["people", "--movers"],
        &["plan", &format!("{hq}/2")],
        &["review"],
        &["review", &record],
        &["events"],
        &["coverage"],
        &["consents"],
        &["hooks", "list"],
        &["data", &hq],
        &["report", "leavers"],
        &["report", "access-review"],
        &["grants"],
    ] {
        let said = |form: &str| rollcall.succeeds(&[command, &["--output", form]].concat());
        // What is told of a moment, or of another form, is another value each time.
        let apart = ["plan", "report", "grants", "events"].contains(&command[0]);
        // The forms are printed one after another: they are of one state where that is the same before and after.
        let [as_json, as_yaml, table, wide] = eventually(&format!("{} is of one state", command.join(" ")), || async {
            let forms = ["json", "yaml", "table", "wide"].map(said);
            (apart || forms[0] == said("json")).then_some(forms)
        })
        .await;
        // An age may have become a word longer or shorter between the two; the columns are the same.
        let columns = |text: &str| text.lines().next().map_or(0, |head| head.split_whitespace().count());
        assert!(columns(&table) > 0 && columns(&wide) >= columns(&table), "{command:?}: {table}\n{wide}");
        let of_json: Value = serde_json::from_str(&as_json).unwrap_or_else(|why| panic!("{command:?}: {why}"));
        if !apart {
            let of_yaml: Value = serde_saphyr::from_str(&as_yaml).unwrap_or_else(|why| panic!("{command:?}: {why}"));
            assert_eq!(of_yaml, of_json, "{command:?}");
        }
        for said in [&as_json, &as_yaml, &wide] {
            assert!(!said.contains("@example.com") || command[0] == "data", "{command:?}: {said}");
            assert!(!said.contains('\u{1b}'), "no colours: {command:?}");
        }
    }

    // The doctor finds what was broken, and that nobody runs the Deployments' pods here.
    rollcall.stop("why");
    let found = rollcall.says(&["doctor", "--all", "--output", "json"]);
    assert_eq!(found.status.code(), Some(2));
    let checks: Vec<Value> = serde_json::from_slice(&found.stdout).unwrap();
    let grade = |what: &str| {
        let of = |one: &&Value| one["what"].as_str().is_some_and(|found| found.starts_with(what));
        checks.iter().find(of).map_or("not looked at", |one| one["grade"].as_str().unwrap())
    };
    for (what, expected) in [
        ("Kubernetes", "Right"),
        ("clock", "Right"),
        ("kinds", "Right"),
        ("global stop", "Wrong"),
        ("Deployment", "Wrong"),
        ("admission policies", "Right"),
        ("revoker", "Right"),
        ("consents", "Right"),
        (&format!("HRConnection {hq}"), "Right"),
    ] {
        assert_eq!(grade(what), expected, "{what}: {checks:#?}");
    }
    rollcall.go_on();
}

#[tokio::test]
async fn kubectl_completes_commands_and_the_names_of_people_and_connections() {
    let rollcall = Installation::new("completes", &[]).await;
    let _sync = rollcall.sync().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    rollcall.learn(&rollcall.staff(1..4)).await;
    let named = rollcall.directory().join("kubectl_complete-rollcall");
    std::os::unix::fs::symlink(binary().get_program(), &named).unwrap();
    let completes = |words: &[&str]| {
        let mut command = std::process::Command::new(&named);
        command.args(words).env_clear().env("KUBECONFIG", &rollcall.cluster.kubeconfig);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let namespace = rollcall.namespace.as_str();
    assert!(completes(&["ap"]).contains("approve\t") && !completes(&["ap"]).contains("why\t"));
    let people = completes(&["why", "--namespace", namespace, ""]);
    assert!(people.contains(&format!("{}/2\tActive", rollcall.connection)) && people.ends_with(":4\n"), "{people}");
    assert!(!people.contains("@example.com"), "nobody asked for names");
    assert!(completes(&["accept", "--namespace", namespace, ""]).contains(&rollcall.connection));
}
