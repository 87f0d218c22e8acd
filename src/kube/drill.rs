//! The drill's report, as control, sync and the command line read it: from the ConfigMap of the drill, believed only as far as its
//! Revocation shows it.

use k8s_openapi::api::core::v1::ConfigMap;

use crate::api::revocation::{Phase, TargetKind, VerdictKind};
use crate::api::{Revocation, names};
use domain::drill::{DrillReport, MAX_MESSAGE};

/// Key of the HR file in the ConfigMap.
pub const PEOPLE_KEY: &str = "people.csv";
/// Key of the report in it.
pub const REPORT_KEY: &str = "report.json";

/// The report that a ConfigMap of the drill holds; none where no drill has ended, or nobody can read what it wrote.
#[must_use]
pub fn report(map: &ConfigMap) -> Option<DrillReport> {
    let report: DrillReport = serde_json::from_str(map.data.as_ref()?.get(REPORT_KEY)?).ok()?;
    let message = report.message.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect();
    Some(DrillReport { message, ..report })
}

/// Whether this Revocation is the drill's, and revoked the account that the report names.
#[must_use]
pub fn revoked(report: &DrillReport, revocation: Option<&Revocation>) -> bool {
    let (Some(account), Some(revocation)) = (&report.account, revocation) else { return false };
    let status = revocation.status.as_ref();
    let of_drill = revocation.spec.person == names::DRILL && revocation.metadata.name == report.revocation;
    let proved = |word: VerdictKind| matches!(word, VerdictKind::Observed | VerdictKind::Implied);
    let verdict = status.and_then(|status| {
        let of_account = |one: &&crate::api::revocation::Verdict| {
            one.target.kind == TargetKind::ServiceAccount && one.target.uid == account.uid
        };
        status.verdicts.iter().rev().find(of_account)
    });
    of_drill
        && status.is_some_and(|status| status.phase == Some(Phase::Revoked))
        && verdict.is_some_and(|one| proved(one.verdict))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written(report: &Value) -> ConfigMap {
        serde_json::from_value(json!({"data": {REPORT_KEY: report.to_string()}})).unwrap()
    }

    fn passed() -> Value {
        json!({"run": "d-1", "began": "2026-03-01T03:17:00Z", "ended": "2026-03-01T03:17:30Z", "left": "2026-03-01T03:17:05Z",
            "refused": "2026-03-01T03:17:12Z", "denied": "2026-03-01T03:17:08Z", "revocation": "rollcall-drill-1-cut",
            "account": {"namespace": "rollcall-drill", "name": "leaver-1", "uid": "u-1"}})
    }

    #[test]
    fn a_report_that_nobody_can_read_is_none() {
        assert!(report(&written(&passed())).is_some());
        assert_eq!(report(&ConfigMap::default()), None, "no drill has ended");
        assert_eq!(report(&written(&json!({"run": "d-1"}))), None, "half of one");
        let mut more = passed();
        more["message"] = json!(format!("\u{1b}[2J{}", "x".repeat(900)));
        let message = report(&written(&more)).unwrap().message;
        assert!(message.len() <= MAX_MESSAGE && message.starts_with("[2J"), "{message}");
    }

    #[test]
    fn only_the_drills_own_revocation_of_that_account_shows_anything() {
        let revocation = |person: &str, phase: &str, uid: &str, word: &str| -> Revocation {
            let target = json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "rollcall-drill",
                "name": "leaver-1", "uid": uid, "why": "marked"});
            serde_json::from_value(json!({
                "metadata": {"name": "rollcall-drill-1-cut"},
                "spec": {"person": person, "personUid": "u", "policy": "rollcall-drill", "trigger": "Termination",
                    "operation": "Cut", "due": "2026-03-01T00:00:00Z", "reason": "left"},
                "status": {"phase": phase, "verdicts": [{"target": target, "verdict": word, "how": "asked", "at": "2026-03-01T03:17:09Z"}]},
            }))
            .unwrap()
        };
        let report = report(&written(&passed())).unwrap();
        for (what, one, expected) in [
            ("seen refused", Some(revocation("rollcall-drill", "Revoked", "u-1", "Observed")), true),
            ("its uid is gone", Some(revocation("rollcall-drill", "Revoked", "u-1", "Implied")), true),
            ("none of that name", None, false),
            ("somebody else's", Some(revocation("p-7", "Revoked", "u-1", "Observed")), false),
            ("another account", Some(revocation("rollcall-drill", "Revoked", "u-2", "Observed")), false),
            ("it failed", Some(revocation("rollcall-drill", "Failed", "u-1", "Observed")), false),
            ("refuted", Some(revocation("rollcall-drill", "Revoked", "u-1", "Refuted")), false),
        ] {
            assert_eq!(revoked(&report, one.as_ref()), expected, "{what}");
        }
    }
}
