//! What is sealed of a drill: how it ended, and what the drill itself saw the API server say. Everybody in it is invented.

use jiff::Timestamp;

use super::record_body::subject;
use crate::api::revocation::VerdictKind;
use crate::api::{Person, names};
use domain::drill::{DrillReport, Shortfall};
use domain::evidence::{self, Instants, Object, RecordBody, Verdict};

/// The record of a report that is believed.
pub fn of(report: &DrillReport, person: Option<&Person>, sealed: Timestamp) -> RecordBody {
    RecordBody {
        revocation: report.revocation.clone().unwrap_or_else(|| report.run.clone()),
        operation: evidence::DRILL.to_owned(),
        phase: if report.failed.is_some() { "Failed" } else { "Passed" }.to_owned(),
        attempt: 0,
        person: names::DRILL.to_owned(),
        subject: subject(person),
        policy: names::DRILL.to_owned(),
        rule: evidence::hash(names::DRILL),
        plan: None,
        approver: None,
        second_approver: None,
        rejecter: None,
        gate: report.failed.map(|short| short.as_str().to_owned()),
        steps: Vec::new(),
        verdicts: verdicts(report),
        remaining: Vec::new(),
        hooks: Vec::new(),
        recheck: None,
        // No `effective`: the termination has a record of its own, and nobody counts this one for another.
        instants: Instants { seen: report.left, confirmed: report.refused.max(report.denied), ..Instants::default() },
        last_day: None,
        sealed,
    }
}

/// What was tried: the token, and the right of the user name. Where it was refused in the end, it was seen.
fn verdicts(report: &DrillReport) -> Vec<Verdict> {
    let still = (report.failed == Some(Shortfall::StillWorks)).then_some(report.ended);
    let token = report.account.as_ref().map(|account| Object {
        kind: "ServiceAccount".to_owned(),
        namespace: account.namespace.clone(),
        name: account.name.clone(),
        uid: account.uid.clone(),
    });
    let namespace = token.as_ref().map(|token| token.namespace.clone()).unwrap_or_default();
    let user = Object { kind: "User".to_owned(), namespace, name: names::DRILL_ID.to_owned(), uid: String::new() };
    let tried = [(token, report.refused), (Some(user), report.denied)];
    let verdict = |(object, seen): (Option<Object>, Option<Timestamp>)| {
        let (verdict, at) = match (seen, still) {
            (Some(at), _) => (VerdictKind::Observed, at),
            (None, Some(at)) => (VerdictKind::Refuted, at),
            (None, None) => return None,
        };
        Some(Verdict { object: object?, verdict: verdict.as_str().to_owned(), at })
    };
    tried.into_iter().filter_map(verdict).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_record_of_a_drill_says_what_the_drill_itself_saw() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let report = |more: Value| -> DrillReport {
            let mut whole = json!({"run": "d-1", "began": at(0), "ended": at(40), "left": at(5),
                "account": {"namespace": "rollcall-drill", "name": "leaver-1", "uid": "u-1"}});
            whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value(whole).unwrap()
        };
        for (what, more, phase, gate, expected) in [
            ("passed", json!({"refused": at(9), "denied": at(7)}), "Passed", None, vec!["Observed", "Observed"]),
            ("held", json!({"failed": "Held"}), "Failed", Some("Held"), vec![]),
            (
                "the token still works",
                json!({"failed": "StillWorks", "denied": at(7)}),
                "Failed",
                Some("StillWorks"),
                vec!["Refuted", "Observed"],
            ),
        ] {
            let body = of(&report(more), None, at(50));
            let said: Vec<_> = body.verdicts.iter().map(|one| one.verdict.as_str()).collect();
            assert_eq!((body.phase.as_str(), body.gate.as_deref(), said), (phase, gate, expected), "{what}");
            assert_eq!(body.instants.effective, None, "{what}: it is no termination");
        }
    }
}
