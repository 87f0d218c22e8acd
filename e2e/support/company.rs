//! A company of ten thousand invented people as the cluster has them: who works here, who left and what became of their access, who
//! is held and why, who owns what, and the evidence of it.

use domain::evidence::{self, Head, RecordBody};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};

use super::objects::overlay;
use super::played_api::Lists;

/// Where everything lies.
pub const NAMESPACE: &str = "rollcall";
/// Paths of the lists.
pub const PEOPLE: &str = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/people";
pub const REVOCATIONS: &str = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/revocations";
const POLICIES: &str = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/syncpolicies";
const CONNECTIONS: &str = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/hrconnections";
const CONFIG_MAPS: &str = "/api/v1/namespaces/rollcall/configmaps";

/// Ids of people with a story.
pub const UNDER_WAY: u32 = 2;
pub const HELD: u32 = 3;
pub const FAILED: u32 = 4;
pub const BACK: u32 = 5;
/// Somebody with two hundred credentials, and a hostile name.
pub const MANY: u32 = 6;

const NAMES: [&str; 8] = ["Ada", "Ben", "Chidi", "Dana", "Eve", "Farid", "Grace", "Hana"];
const LAST_NAMES: [&str; 7] = ["Abara", "Brunner", "Costa", "Dietrich", "Evans", "Fujita", "Garcia"];

/// The whole company.
pub fn lists(people: u32, now: Timestamp) -> Lists {
    let company = Company { now };
    let all: Vec<Value> = (1..=people).map(|id| company.person(id)).collect();
    let mut revocations: Vec<Value> = (1..=40).filter_map(|id| company.revocation(id)).collect();
    let mut maps = company.evidence(&mut revocations);
    maps.push(json!({"metadata": {"name": "rollcall-stop", "namespace": NAMESPACE}, "data": {}}));
    let place = |path: &str, items: Vec<Value>| (path.to_owned(), items);
    Lists::from([
        place(PEOPLE, all),
        place(REVOCATIONS, revocations),
        place(POLICIES, vec![company.policy(people)]),
        place(CONNECTIONS, company.connections(people)),
        place(CONFIG_MAPS, maps),
        place("/api/v1/serviceaccounts", (0..900).map(|n| account(n, people)).collect()),
        place("/apis/rbac.authorization.k8s.io/v1/rolebindings", (0..400).map(binding).collect()),
        place("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", Vec::new()),
        place("/api/v1/secrets", Vec::new()),
    ])
}

/// The Person of an id.
pub fn person_name(id: u32) -> String {
    format!("p-{id:05}")
}

/// The cut of somebody who left, in a company as of now.
pub fn cut_name(id: u32, now: Timestamp) -> String {
    let company = Company { now };
    let seen = company.before(i64::from(id) * 40_000).parse().unwrap();
    format!("{}-cut", domain::roster::termination_id(&person_name(id), seen))
}

fn address(id: u32) -> String {
    format!("person{id}@example.com")
}

fn target(kind: &str, namespace: &str, name: &str) -> Value {
    let action = match kind {
        "RoleBinding" => "Unbind",
        "User" => "Freeze",
        _ => "Recreate",
    };
    let uid = if kind == "User" { String::new() } else { format!("{namespace}-{name}") };
    json!({"action": action, "kind": kind, "namespace": namespace, "name": name, "uid": uid, "why": "id:hq/1"})
}

fn account(number: u32, people: u32) -> Value {
    let namespace = ["apps", "build", "data", "web", "payments", "search", "mobile", "infra"][number as usize % 8];
    let owned = number.is_multiple_of(3) || number % 8 < 3;
    let owner = owned.then(|| json!({"rollcall.dev/owner": format!("id:hq/{}", number % people + 1)}));
    json!({"metadata": {"name": format!("bot-{number}"), "namespace": namespace, "uid": format!("sa-{number}"), "annotations": owner}})
}

fn binding(number: u32) -> Value {
    let group = "rbac.authorization.k8s.io";
    let subject = json!({"kind": "User", "name": format!("oidc:{}", address(number + 1)), "apiGroup": group});
    json!({
        "metadata": {"name": format!("edit-{number}"), "namespace": "apps", "uid": format!("rb-{number}")},
        "subjects": [subject], "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "edit"},
    })
}

struct Company {
    now: Timestamp,
}

impl Company {
    /// So long before now, to the second.
    fn before(&self, seconds: i64) -> String {
        format!("{:.0}", self.now - SignedDuration::from_secs(seconds))
    }

    fn day(&self, days: i64) -> String {
        let today = self.now.to_zoned(TimeZone::UTC).date();
        today.checked_add(days.days()).unwrap().to_string()
    }

    fn person(&self, id: u32) -> Value {
        let since = self.before(86_400 * 60);
        let name = match id {
            MANY => format!("Zoë <script>alert(1)</script> \"\u{202e}{}", "x".repeat(250)),
            7 => "שרה כהן".to_owned(),
            _ => format!("{} {}", NAMES[id as usize % 8], LAST_NAMES[id as usize % 7]),
        };
        let mut person = json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "Person",
            "metadata": {"name": person_name(id), "namespace": NAMESPACE, "uid": format!("u-{id}"), "resourceVersion": "1"},
            "spec": {"records": [{"connection": "hq", "id": id.to_string()}]},
            "status": {
                "policy": "everyone",
                "aliases": [format!("email:{}", address(id)), format!("user:oidc:{}", address(id))],
                "employments": [{"connection": "hq", "id": id.to_string(), "reportedStatus": "Active", "startDate": "2021-04-01"}],
                "employment": {"state": "Active", "since": since, "timeZone": "Europe/Madrid", "why": "Active"},
                "profile": {"displayName": name, "workEmail": address(id), "manager": person_name(100 + id % 40)},
            },
        });
        let change = match id {
            1..=40 => self.leaver(id),
            41..=90 => self.leaves_later(id),
            91..=99 => json!({"status": {"employment": {"state": "Unknown", "why": "Unmapped"}}}),
            140..=180 => {
                json!({"status": {"employments": [{"connection": "hq", "id": id.to_string(), "reportedStatus": "Active", "startDate": self.day(i64::from(id - 138))}],
                "employment": {"state": "PreHire", "why": "StartsLater"}}})
            }
            181..=220 => json!({"status": {"employment": {"state": "Leave", "why": "OnLeave"}}}),
            _ => json!({}),
        };
        overlay(&mut person, change);
        if id == 95 {
            overlay(
                &mut person,
                json!({"spec": {"hold": {"reason": "legal dispute", "until": self.before(-86_400 * 20), "by": "grace"}}}),
            );
        }
        person
    }

    fn leaver(&self, id: u32) -> Value {
        let (effective, last) = (self.before(i64::from(id) * 40_000), self.day(-(i64::from(id) / 2) - 1));
        let access = match id {
            UNDER_WAY => "Released",
            FAILED => "Failed",
            HELD | 20..=32 => "Held",
            _ => "Revoked",
        };
        json!({"status": {
            "employments": [{"connection": "hq", "id": id.to_string(), "reportedStatus": "Terminated", "startDate": "2021-04-01", "lastWorkingDay": last}],
            "employment": {"state": "Terminated", "why": "Terminated", "lastDay": last, "effective": effective, "seen": effective, "since": effective, "run": "r-1"},
            "access": {"state": access, "revocation": cut_name(id, self.now), "remaining": id % 3},
        }})
    }

    fn leaves_later(&self, id: u32) -> Value {
        let last = self.day(i64::from(id - 38));
        json!({"status": {
            "employments": [{"connection": "hq", "id": id.to_string(), "reportedStatus": "Active", "startDate": "2021-04-01", "lastWorkingDay": last,
                "announced": last, "announcedAt": self.before(86_400 * 5)}],
            "employment": {"why": "LeavesLater", "lastDay": last},
        }})
    }

    fn revocation(&self, id: u32) -> Option<Value> {
        let begun = i64::from(id) * 40_000;
        let at = |after: i64| self.before(begun - after);
        let mut targets = vec![
            target("RoleBinding", "apps", &format!("edit-{id}")),
            target("ServiceAccount", "apps", &format!("bot-{id}")),
        ];
        if id == MANY {
            targets = (0..200).map(|n| target("ServiceAccount", "build", &format!("runner-{n:03}"))).collect();
        }
        let user = target("User", "", &format!("oidc:{}", address(id)));
        let mut revocation = json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation",
            "metadata": {"name": cut_name(id, self.now), "namespace": NAMESPACE, "uid": format!("r-{id}"), "resourceVersion": "1", "creationTimestamp": at(1)},
            "spec": {"person": person_name(id), "personUid": format!("u-{id}"), "policy": "everyone", "trigger": "Termination",
                "operation": "Cut", "due": at(0), "reason": format!("id:hq/{id} left")},
            "status": {
                "phase": "Revoked",
                "plan": {"hash": "5e0c".repeat(16), "freezes": [user], "targets": targets, "remaining": [
                    {"what": "RoleBinding team/on-call", "why": "SharedBinding", "advice": "take the user out of its subjects"}]},
                "instants": {"effective": at(0), "seen": at(0), "released": at(2)},
                "freeze": {"acted": at(2), "verified": at(3), "verdicts": [{"target": user, "verdict": "Observed", "how": "it was read on the list", "at": at(3)}]},
            },
        });
        let step = |target: &Value| json!({"target": target, "outcome": "Done", "at": at(4)});
        let verdict = |target: &Value| {
            let kind = if target["kind"] == "RoleBinding" { "Implied" } else { "Observed" };
            let how = if kind == "Implied" {
                "its uid is gone on a consistent read"
            } else {
                "a token of before was refused by the API server: 401"
            };
            json!({"target": target, "verdict": kind, "how": how, "at": at(5)})
        };
        let done = |status: &mut Value, many: usize| {
            status["steps"] = targets.iter().take(many).map(step).collect();
            status["verdicts"] = targets.iter().take(many).map(verdict).collect();
        };
        let over_limit = json!({"phase": "Held", "freeze": null, "gate": {"reason": "OverLimit", "batch": "run-7f3a",
            "message": "14 leavers are more than 2 in 24h (limits.people). If they are right, approve the batch."}});
        let status = &mut revocation["status"];
        match id {
            HELD | 20..=30 => overlay(status, over_limit),
            31 => overlay(
                status,
                json!({"phase": "Held", "freeze": null, "gate": {"reason": "Hold", "message": "spec.hold of the Person: legal dispute", "until": self.before(-86_400 * 3)}}),
            ),
            32 => overlay(
                status,
                json!({"phase": "Held", "freeze": null, "gate": {"reason": "Baseline", "message": "they had left before the baseline: approve it"}}),
            ),
            33..=38 => return None,
            UNDER_WAY => {
                done(status, 1);
                overlay(status, json!({"phase": "Released", "acted": at(4)}));
            }
            FAILED => {
                done(status, 2);
                status["verdicts"][1]["verdict"] = json!("Refuted");
                overlay(status, json!({"phase": "Failed", "acted": at(4), "finished": "Failed"}));
            }
            _ => {
                done(status, targets.len());
                overlay(
                    status,
                    json!({"acted": at(4), "verified": at(5), "confirmed": at(16), "finished": "Revoked",
                    "recheck": {"stage": 2, "at": at(3_616), "asked": 3, "unknown": 0}}),
                );
            }
        }
        if id == BACK {
            let back = json!([{"kind": "RoleBinding", "namespace": "apps", "name": "edit-5", "uid": "again", "at": at(9_000), "by": "argocd-controller"}]);
            status["returned"] = back;
        }
        Some(revocation)
    }

    fn policy(&self, people: u32) -> Value {
        let run = |hours: i64, leavers: u32| json!({"id": format!("run-{hours}"), "leavers": leavers, "people": people, "at": self.before(hours * 3_600), "written": true});
        json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": {"name": "everyone", "namespace": NAMESPACE, "uid": "policy", "resourceVersion": "1"},
            "spec": {"mode": "Enforce", "connections": [{"name": "hq"}], "timeZones": {"default": "Europe/Madrid"},
                "identity": {"usernames": ["'oidc:' + person.workEmail"]}},
            "status": {
                "conditions": [{"type": "Baseline", "status": "True", "reason": "Settled", "message": "", "lastTransitionTime": self.before(86_400 * 90)}],
                "runs": [run(400, 2), run(180, 3), run(90, 1), run(26, 14), run(2, 1)],
                "connections": [{"name": "hq", "response": "7f3a9b00c1d2", "baseline": {"fingerprint": "f", "at": self.before(86_400 * 90), "leavers": 12}}],
                "coverage": {"owned": 525, "unowned": 375, "ambiguous": 0, "users": 398, "unknownUsers": 2},
            },
        })
    }

    fn connections(&self, people: u32) -> Vec<Value> {
        let condition = |type_: &str, status: &str, reason: &str, message: &str, hours: i64| json!({"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": self.before(hours * 3_600)});
        let connection = |name: &str, status: Value| {
            json!({
                "apiVersion": "rollcall.dev/v1alpha1", "kind": "HRConnection",
                "metadata": {"name": name, "namespace": NAMESPACE, "uid": name, "resourceVersion": "1"},
                "spec": {"source": {"api": {"connector": "bamboohr", "parameters": {"subdomain": "acme"}, "credentialsRef": {"name": name}}}, "schedule": {"every": "1h"}},
                "status": status,
            })
        };
        let trusted = |people: u32, hours: i64| {
            json!({"time": self.before(hours * 3_600 + 120), "response": "7f3a9b00c1d2", "employees": people, "highWater": people, "source": "s",
                "statuses": {"Active": people - people / 20, "Leave": people / 50, "Terminated": people / 20 - people / 50}})
        };
        let period = |hours: i64, trusted: bool, reason: &str, people: Option<u32>| json!({"from": self.before(hours * 3_600), "trusted": trusted, "reason": reason, "people": people});
        let hq = json!({
            "conditions": [
                condition("Reachable", "True", "Answered", "It answers.", 900),
                condition("Ready", "True", "Trusted", "9,950 people were read.", 300),
                condition("Trusted", "True", "Trusted", "The newest response is trusted.", 300),
            ],
            "lastAttempt": {"time": self.before(120), "outcome": "Trusted", "response": "7f3a9b00c1d2"},
            "trustHistory": [period(9 * 24, true, "Trusted", Some(people - 50)), period(9 * 24 + 3, false, "TimedOut", None), period(40 * 24, true, "Trusted", Some(people - 60))],
            "lastTrusted": trusted(people - 50, 0), "leaversLastSeen": self.before(7_200), "nextRun": self.before(-3_480),
        });
        let contractors = json!({
            "conditions": [
                condition("Reachable", "True", "Answered", "It answers.", 40),
                condition("Ready", "False", "Shrunk", "The newest response is held.", 5),
                condition("Trusted", "False", "Shrunk", "312 of 402 people seen, 10% fewer is allowed. Nothing was changed.", 5),
            ],
            "lastAttempt": {"time": self.before(900), "outcome": "Shrunk", "response": "9b00c1d27f3a", "findings": ["312 of 402 people seen, 10% fewer is allowed"]},
            "trustHistory": [period(4, false, "Shrunk", Some(312)), period(24 * 20, true, "Trusted", Some(402))],
            "lastTrusted": trusted(402, 5), "nextRun": self.before(-2_700),
        });
        vec![connection("hq", hq), connection("contractors", contractors)]
    }

    /// A record of each that has ended, the oldest first, which it names.
    fn evidence(&self, revocations: &mut [Value]) -> Vec<Value> {
        let (mut head, mut maps) = (Head::genesis(), Vec::new());
        let ended = |one: &&mut Value| ["Revoked", "Failed"].iter().any(|phase| one["status"]["phase"] == *phase);
        for revocation in revocations.iter_mut().rev().filter(ended) {
            let id: u32 = revocation["metadata"]["uid"].as_str().unwrap().trim_start_matches("r-").parse().unwrap();
            let at = self.before(i64::from(id) * 40_000 - 20);
            let object = json!({"kind": "ServiceAccount", "namespace": "apps", "name": format!("bot-{id}"), "uid": format!("apps-bot-{id}")});
            let body: RecordBody = serde_json::from_value(json!({
                "revocation": cut_name(id, self.now), "operation": "Cut", "phase": if id == FAILED { "Failed" } else { "Revoked" }, "person": person_name(id),
                "subject": "d".repeat(64), "policy": "everyone", "rule": "r", "plan": "5e0c".repeat(16), "approver": null,
                "steps": [{"object": object, "action": "Recreate", "outcome": "Done", "at": at}],
                "verdicts": [{"object": object, "verdict": if id == FAILED { "Refuted" } else { "Observed" }, "at": at}],
                "remaining": [], "instants": {"effective": at, "seen": at, "released": at, "acted": at, "verified": at, "confirmed": at}, "sealed": at,
            }))
            .unwrap();
            let sealed = evidence::chain(&head, body).unwrap();
            let name = evidence::name(sealed.record.index);
            revocation["status"]["evidence"] =
                json!({"name": name, "hash": sealed.head.hash, "previous": sealed.record.previous});
            maps.push(json!({"metadata": {"name": name, "namespace": NAMESPACE, "labels": {"rollcall.dev/part": evidence::PART}}, "immutable": true,
                "data": {evidence::KEY: sealed.text}}));
            head = sealed.head;
        }
        maps.push(json!({"metadata": {"name": "rollcall-evidence-head", "namespace": NAMESPACE}, "data": head.data()}));
        maps
    }
}
