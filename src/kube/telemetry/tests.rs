use std::collections::BTreeSet;

use super::*;
use crate::api::condition::Reason;
use crate::api::convert;

/// Metrics of which each has a value.
fn filled() -> Metrics {
    let metrics = Metrics::default();
    metrics.polled("hq", "Trusted");
    metrics.believed("hq", Timestamp::from_second(1_700_000_000).unwrap());
    metrics.people("everyone", &BTreeMap::from([("Active".to_owned(), 3), ("OutOfScope".to_owned(), 2)]));
    metrics.accounts("lonely", None);
    let found = BTreeMap::from([("LeaverEnabled".to_owned(), 2)]);
    metrics.accounts("everyone", Some(&Accounts { people: found, orphans: 4, ..Accounts::default() }));
    metrics.coverage("lonely", None);
    let seen = policy::Coverage { owned: 7, unowned: 3, users: 5, ..policy::Coverage::default() };
    metrics.coverage("everyone", Some(&seen));
    metrics.failing_jobs(2);
    metrics.leaver_seen("hq", None);
    let at = |second| Timestamp::from_second(second).unwrap();
    metrics.leaver_reported("everyone", at(100), at(7_300));
    metrics.leaver_reported("everyone", at(200), at(100));
    metrics.leaver_revoked("everyone", [Some(at(100)), Some(at(102)), Some(at(105))]);
    metrics.leaver_revoked("everyone", [None, Some(at(102)), None]);
    metrics.person_written();
    metrics.revocations(&BTreeMap::from([(Phase::Held, 2)]));
    metrics.held(&BTreeMap::from([("NotDue".to_owned(), 2), ("OverLimit".to_owned(), 0)]));
    metrics.hook("notify-siem", "Done");
    metrics.webhook("hq", "Taken");
    metrics.event("Delivered");
    metrics.events_waiting(3);
    metrics.spans_dropped().inc_by(2);
    metrics.leading(true);
    metrics.revoker_ready(true);
    metrics.evidence_signed(true);
    metrics.refuted(2);
    metrics.stopped(true);
    metrics.remaining(&BTreeMap::from([("NoConsent".to_owned(), 1)]));
    metrics.remaining(&BTreeMap::from([("SharedBinding".to_owned(), 4)]));
    assert!(!metrics.text().unwrap().contains("rollcall_drill_passed{"), "no drill is installed");
    let drill = |more: &str| -> DrillReport {
        let text = r#"{"run": "d-1", "began": "1970-01-01T00:01:40Z", "ended": "1970-01-01T00:02:10Z""#;
        serde_json::from_str(&format!("{text}, {more}}}")).unwrap()
    };
    let passed =
        r#""left": "1970-01-01T00:01:45Z", "refused": "1970-01-01T00:01:52Z", "denied": "1970-01-01T00:01:50Z""#;
    metrics.drill("rollcall-drill", Some(&drill(&format!(r#"{passed}, "due": "1970-01-01T00:10:00Z""#))));
    let later = DrillReport { ended: at(900), ..drill(r#""failed": "Held", "due": "1970-01-01T00:20:00Z""#) };
    metrics.drill("rollcall-drill", Some(&later));
    metrics
}

#[test]
fn metrics_have_the_names_that_dashboards_are_written_for() {
    let metrics = filled();
    let under_way = metrics.reconciling("Revocation");
    metrics.reconciled("Revocation", Duration::from_millis(30), Some("Waiting"));
    let text = metrics.text().unwrap();
    drop(under_way);
    assert!(metrics.text().unwrap().contains(r#"rollcall_reconciles_under_way{kind="Revocation"} 0"#));
    for line in [
        r#"rollcall_reconcile_duration_seconds_count{kind="Revocation"} 1"#,
        r#"rollcall_reconcile_failures_total{kind="Revocation",class="Waiting"} 1"#,
        r#"rollcall_coverage_accounts{policy="everyone",owner="One"} 7"#,
        r#"rollcall_coverage_accounts{policy="everyone",owner="Several"} 0"#,
        r#"rollcall_coverage_accounts{policy="everyone",owner="Nobody"} 3"#,
        r#"rollcall_coverage_users{policy="everyone",owner="One"} 5"#,
        r#"rollcall_coverage_users{policy="everyone",owner="Nobody"} 0"#,
        "rollcall_revoker_jobs_failed_in_a_row 2",
        r#"rollcall_reconciles_under_way{kind="Revocation"} 1"#,
        r#"rollcall_hooks_ended_total{hook="notify-siem",outcome="Done"} 1"#,
        r#"rollcall_webhooks_total{connection="hq",outcome="Taken"} 1"#,
        r#"rollcall_cloud_events_total{outcome="Delivered"} 1"#,
        "rollcall_cloud_events_waiting 3",
        "rollcall_trace_spans_dropped_total 2",
        "rollcall_revoker_ready 1",
        "rollcall_evidence_signed 1",
        "rollcall_revocations_refuted 2",
        "rollcall_stopped 1",
        r#"rollcall_access_remaining{reason="SharedBinding"} 4"#,
        r#"rollcall_drill_passed{policy="rollcall-drill"} 0"#,
        r#"rollcall_drill_last_run_timestamp_seconds{policy="rollcall-drill"} 900.0"#,
        r#"rollcall_drill_last_success_timestamp_seconds{policy="rollcall-drill"} 130.0"#,
        r#"rollcall_drill_due_timestamp_seconds{policy="rollcall-drill"} 1200.0"#,
        r#"rollcall_drill_refused_seconds{policy="rollcall-drill"} 7.0"#,
        concat!(r#"rollcall_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
        r#"rollcall_connection_polls_total{connection="hq",outcome="Trusted"} 1"#,
        r#"rollcall_connection_last_success_timestamp_seconds{connection="hq"} 1700000000.0"#,
        r#"rollcall_connection_last_leaver_timestamp_seconds{connection="hq"} 0.0"#,
        r#"rollcall_account_findings{policy="everyone",finding="LeaverEnabled"} 2"#,
        r#"rollcall_account_findings{policy="everyone",finding="NoAccount"} 0"#,
        r#"rollcall_account_findings{policy="everyone",finding="Orphan"} 4"#,
        r#"rollcall_people{policy="everyone",state="Active"} 3"#,
        r#"rollcall_people{policy="everyone",state="Terminated"} 0"#,
        r#"rollcall_people{policy="everyone",state="OutOfScope"} 2"#,
        r#"rollcall_leaver_reported_late_seconds_sum{policy="everyone"} 7200.0"#,
        r#"rollcall_leaver_reported_late_seconds_count{policy="everyone"} 2"#,
        r#"rollcall_leaver_release_seconds_sum{policy="everyone"} 2.0"#,
        r#"rollcall_leaver_verify_seconds_sum{policy="everyone"} 3.0"#,
        r#"rollcall_leaver_verify_seconds_count{policy="everyone"} 1"#,
        "rollcall_person_writes_total 1",
        r#"rollcall_revocations{phase="Held"} 2"#,
        r#"rollcall_revocations_held{reason="NotDue"} 2"#,
        r#"rollcall_revocations_held{reason="OverLimit"} 0"#,
        "rollcall_leader 1",
    ] {
        assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("NoConsent"), "what remains no longer");
}

#[test]
fn people_of_a_state_that_emptied_are_counted_as_none() {
    let metrics = Metrics::default();
    metrics.people("everyone", &BTreeMap::from([("Active".to_owned(), 3), ("OutOfScope".to_owned(), 2)]));
    metrics.people("everyone", &BTreeMap::new());
    assert!(metrics.text().unwrap().contains(r#"rollcall_people{policy="everyone",state="Active"} 0"#));
}

#[test]
fn what_has_not_happened_yet_is_there_as_none_so_that_prometheus_sees_it_rise() {
    let metrics = Metrics::default();
    metrics.people("everyone", &BTreeMap::new());
    metrics.expects("everyone", ["notify-siem"]);
    metrics.reconciled("Revocation", Duration::ZERO, None);
    let text = metrics.text().unwrap();
    assert!(text.contains(r#"rollcall_reconcile_failures_total{kind="Revocation",class="Stalled"} 0"#), "{text}");
    let of = |name: &str| text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect::<Vec<_>>();
    for name in ["leaver_reported_late", "leaver_release", "leaver_verify"] {
        let line = format!(r#"rollcall_{name}_seconds_count{{policy="everyone"}}"#);
        assert_eq!(of(&line), [format!("{line} 0")]);
    }
    let mut hooks = of("rollcall_hooks_ended_total{");
    hooks.sort();
    let ended = ["Done", "Failed", "Lost", "NotStarted", "Skipped", "TimedOut"];
    let lines =
        ended.map(|outcome| format!(r#"rollcall_hooks_ended_total{{hook="notify-siem",outcome="{outcome}"}} 0"#));
    assert_eq!(hooks, lines);
    metrics.hook("notify-siem", "TimedOut");
    metrics.expects("everyone", ["notify-siem"]);
    assert!(metrics.text().unwrap().contains(r#"outcome="TimedOut"} 1"#), "what was counted stays");
}

#[test]
fn a_filter_that_cannot_be_read_is_refused() {
    assert!(init("rollcall=loud").is_err());
}

#[test]
fn alerts_and_dashboard_ask_for_series_that_there_are() {
    let metrics = filled();
    metrics.reconciled("Revocation", Duration::from_millis(30), Some("Waiting"));
    let text = metrics.text().unwrap();
    let series: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let exists = |name: &str| match series.get(name) {
        Some(kind) => *kind == "gauge",
        None => ["_total", "_info", "_bucket"]
            .iter()
            .any(|end| name.strip_suffix(end).is_some_and(|name| series.contains_key(name))),
    };
    for (file, text) in [
        ("alerts.yaml", include_str!("../../../charts/rollcall/files/alerts.yaml")),
        ("dashboard.json", include_str!("../../../charts/rollcall/files/dashboard.json")),
    ] {
        let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        let asked: Vec<&str> = words.filter(|word| word.starts_with("rollcall_")).collect();
        assert!(asked.len() > 15, "{file}");
        for name in asked {
            assert!(exists(name), "{file} asks for {name}, which there is not");
        }
    }
}

#[test]
fn a_connection_that_is_gone_is_not_told_of() {
    let metrics = filled();
    metrics.believed("other", Timestamp::from_second(1_700_000_000).unwrap());
    metrics.forgets("hq");
    let text = metrics.text().unwrap();
    assert!(!text.contains(r#"timestamp_seconds{connection="hq"}"#), "{text}");
    assert!(text.contains(r#"rollcall_connection_last_success_timestamp_seconds{connection="other"}"#), "{text}");
}

#[test]
fn what_is_shown_to_wait_for_a_human_is_what_an_approval_opens() {
    let asks = Reason::ALL.iter().filter(|gate| convert::waits_for_approval(**gate));
    let gates = asks.map(|gate| gate.as_str()).collect::<BTreeSet<_>>();
    for text in [
        include_str!("../../../charts/rollcall/files/alerts.yaml"),
        include_str!("../../../charts/rollcall/files/dashboard.json"),
    ] {
        let lists: Vec<&str> = text.match_indices("Baseline|").map(|(at, _)| &text[at..]).collect();
        assert!(!lists.is_empty());
        for list in lists {
            let end = list.find(|letter: char| !letter.is_ascii_alphabetic() && letter != '|').unwrap();
            assert_eq!(list[..end].split('|').collect::<BTreeSet<_>>(), gates);
        }
    }
}

#[test]
fn the_page_for_operators_has_a_row_for_each_series_and_no_other() {
    let metrics = filled();
    let _under_way = metrics.reconciling("Revocation");
    metrics.reconciled("Revocation", Duration::from_millis(30), Some("Waiting"));
    let text = metrics.text().unwrap();
    let series: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        })
        .collect();
    let page = include_str!("../../../docs/operating.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `rollcall_")?.split(" |").next());
    let cells = rows.flat_map(|cell| cell.split(['`', ',', ' ']));
    let shown = cells.filter(|word| !word.is_empty()).map(|word| match word.strip_prefix("rollcall_") {
        Some(_) => word.to_owned(),
        None => format!("rollcall_{word}"),
    });
    assert_eq!(shown.collect::<BTreeSet<_>>(), series);
}
