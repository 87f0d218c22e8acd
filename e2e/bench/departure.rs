//! Many who leave at once, and what those cost who left before: the figures of control at scale.
//!
//! One of them alone, in a build of any kind: `cargo test --bench figures -- departure leavers 100 1000`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Secret};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt;
use kube::api::{Api, ListParams, PostParams};
use rollcall::api::Revocation;
use rollcall::api::revocation::Phase;
use serde_json::json;

use crate::beside::{self, Bystander};
use crate::support::decoys::make_decoys;
use crate::support::installation::{Consent, Installation, a_day};
use crate::support::kubelet::Kubelet;
use crate::support::measures::calls_of;
use crate::support::objects::object;
use crate::support::process::Service;
use crate::support::tokens::{FixedResponse, mint_unbound, whoami};
use crate::support::waiting::within;
use crate::{Figure, IN_FLIGHT, memory_of, timed};

/// Longest any of it may take before it is given up.
const MANY: Duration = Duration::from_secs(900);
/// Time between two looks at how far they are: what is measured are the instants in the status, and a look costs the API server time.
const LOOK: Duration = Duration::from_secs(2);
/// People for whom a script of kubectl does the same.
const SCRIPTED: u32 = 25;

/// Every figure of this file.
pub async fn figures() -> Vec<Figure> {
    let mut figures = timed("100 leavers", leavers(100, 1_000, false)).await;
    figures.extend(timed("batch of 1,000", leavers(1_000, 4_000, true)).await);
    figures.extend(timed("left before", left_before(1_000, 4_000)).await);
    figures.extend(timed("decoys", behind_decoys()).await);
    figures
}

/// One of them, by its name and size.
pub async fn one(words: &[String]) -> Vec<Figure> {
    let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).expect("a number");
    match words.first().map(String::as_str) {
        Some("leavers") => leavers(number(1), number(2), false).await,
        Some("batch") => leavers(number(1), number(2), true).await,
        Some("left-before") => left_before(number(1), number(2)).await,
        Some("decoys") => behind_decoys().await,
        _ => panic!("departure leavers|batch|left-before LEAVERS PEOPLE, departure decoys"),
    }
}

/// So many leavers in one answer, each with two accounts, a token Secret of each and a binding of their user name. Under
/// limits that let them through, or as a batch that is approved.
async fn leavers(leavers: u32, people: u32, batch: bool) -> Vec<Figure> {
    let rollcall = Installation::new("bench-many", &[("apps", Consent::Accounts)]).await;
    let _running = run(&rollcall).await;
    rollcall.connect(json!({"trust": {"maxShrink": "90%"}})).await;
    let most = if batch { 1 } else { leavers };
    rollcall.policy(json!({"limits": {"people": a_day(most), "objects": a_day(leavers * 10)}})).await;
    let one_more = leavers.to_string();
    let scripted = if batch { leavers + 1..leavers + 1 + SCRIPTED } else { 0..0 };
    own(&rollcall, leavers.max(scripted.end)).await;
    rollcall.learn(&rollcall.staff(0..people)).await;
    let mut staff = rollcall.staff(0..people);
    if batch {
        staff = staff.person(&one_more).terminated(); // counted first, and released while the batch is acted on
        rollcall.hold(&one_more);
        rollcall.learn(&staff).await;
        rollcall.waits_for(&one_more, "Hold").await;
    }
    let begun = Timestamp::now();
    let left = (0..leavers).fold(staff, |staff, id| staff.person(&id.to_string()).terminated());
    rollcall.learn(&left).await;
    let (mut approved, mut lifted) = (begun, begun);
    let (mut bystander, mut idle) = (None, f64::NAN);
    if batch {
        let held = waits(&rollcall, leavers, Phase::Held, |revocation| {
            revocation.status.as_ref()?.gate.as_ref()?.batch.clone().filter(|_| phase(revocation) == Some(Phase::Held))
        })
        .await;
        let beside = bystander.insert(Bystander::start(&rollcall).await);
        idle = beside.idle().await;
        approved = Timestamp::now();
        rollcall.approve_batch(held.first().unwrap());
        one_was_acted_on(&rollcall).await;
        lifted = Timestamp::now();
        rollcall.lift_hold(&one_more);
    }
    let status =
        |revocation: &Revocation| revocation.status.clone().filter(|_| phase(revocation) == Some(Phase::Revoked));
    let done = waits(&rollcall, leavers + u32::from(batch), Phase::Revoked, status).await;
    let beside_batch = bystander.as_ref().map(Bystander::p99);
    let seen = done.iter().filter_map(|status| status.instants.as_ref()?.seen).min().unwrap();
    let from = if batch { approved } else { seen };
    let since = |at: Option<Timestamp>| at.map_or(f64::NAN, |at| at.duration_since(from).as_secs_f64());
    let first = done.iter().flat_map(|status| status.steps.iter().map(|step| step.at)).min();
    let verified = done.iter().filter_map(|status| status.verified).max();
    let calls = spent(&rollcall, begun, leavers).await;
    let names = if batch {
        [
            "approved batch → first act",
            "approved batch → all refused and verified",
            "API calls for each leaver of a batch",
        ]
    } else {
        [
            "seen → first act, many at once",
            "seen → all refused and verified, many at once",
            "API calls for each of many leavers",
        ]
    };
    let (act, all) = if batch { (10.0, 60.0) } else { (5.0, 30.0) };
    let mut figures = vec![
        Figure { figure: names[0], value: since(first), unit: "s", bar: Some(("at most", act)) },
        Figure { figure: names[1], value: since(verified), unit: "s", bar: Some(("at most", all)) },
        Figure {
            figure: names[2],
            value: calls as f64 / f64::from(leavers),
            unit: "calls",
            bar: Some(("at most", 60.0)),
        },
    ];
    if batch {
        let steps = rollcall.revocations(&one_more).await.into_iter().filter_map(|revocation| revocation.status);
        let first = steps.flat_map(|status| status.steps).map(|step| step.at).min().unwrap();
        let value = first.duration_since(lifted).as_secs_f64();
        let figure = "a leaver while a batch is acted on: hold lifted → first act";
        figures.push(Figure { figure, value, unit: "s", bar: Some(("at most", 10.0)) });
    }
    if let (Some(bystander), Some(batch)) = (bystander, beside_batch) {
        bystander.p99();
        let each = beside::script(&rollcall, scripted).await;
        let (figure, value) = ("a script of kubectl for as many, by 25 of them", each * f64::from(leavers));
        figures.push(Figure { figure, value, unit: "s", bar: None });
        let script = bystander.p99();
        beside::bare(&rollcall, calls as f64 / since(verified)).await;
        figures.extend(beside::figures(idle, batch, script, bystander.p99()));
    }
    figures
}

/// Everything there is to run. Where the cluster has a node, that runs the revoker's Jobs, and nobody else does: two would do it all
/// twice.
async fn run(rollcall: &Installation) -> (Service, Service, Option<Kubelet>) {
    let nodes: Api<Node> = Api::all(rollcall.admin.clone());
    let alone = nodes.list(&ListParams::default()).await.unwrap().items.is_empty();
    (rollcall.sync().await, rollcall.control().await, alone.then(|| rollcall.revoker()))
}

/// Waits until the first of the batch was acted on.
async fn one_was_acted_on(rollcall: &Installation) {
    let released = ListParams::default().fields("status.phase=Released").limit(100);
    within(MANY, "one is acted on", || async {
        let some = rollcall.api::<Revocation>().list(&released).await.unwrap().items;
        let acted = some.iter().any(|one| one.status.as_ref().is_some_and(|status| status.acted.is_some()));
        if !acted {
            tokio::time::sleep(LOOK).await; // looking is work for the API server too
        }
        acted.then_some(())
    })
    .await;
}

/// Calls of everybody since an instant; says which of them there were most of, for each leaver.
async fn spent(rollcall: &Installation, since: Timestamp, leavers: u32) -> usize {
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for identity in ["sync", "control", "revoke"] {
        for call in calls_of(&rollcall.identity(identity), since).await {
            *kinds.entry(format!("{identity} {}", call.kind())).or_default() += 1;
        }
    }
    let mut most: Vec<_> = kinds.iter().filter(|(_, number)| **number > leavers / 20).collect();
    most.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
    for (kind, number) in most {
        println!("{:>8.2} for each of {leavers} leavers: {kind}", f64::from(*number) / f64::from(leavers));
    }
    kinds.values().sum::<u32>() as usize
}

/// So many of these people had left before the baseline was taken, and own nothing.
async fn left_before(left: u32, people: u32) -> Vec<Figure> {
    let rollcall = Installation::new("bench-left", &[]).await;
    let (_sync, control) = (rollcall.sync().await, rollcall.control().await);
    rollcall.connect(json!({"trust": {"maxShrink": "90%"}})).await;
    let staff = (0..left).fold(rollcall.staff(0..people), |staff, id| staff.person(&id.to_string()).terminated());
    rollcall.file(&staff.csv()).await;
    rollcall.policy(json!({})).await;
    rollcall.settles(rollcall.poll().await).await;
    let begun = Instant::now();
    within(MANY, "everybody who had left is settled", || async {
        let open = rollcall.all_revocations().await.into_iter().filter(|r| phase(r) != Some(Phase::Revoked)).count();
        (open == 0).then_some(())
    })
    .await;
    let settled = begun.elapsed();
    tokio::time::sleep(Duration::from_secs(10)).await; // what follows from the last write
    let (before, rest) = (cpu_of(&control), Duration::from_secs(20));
    let asked = Timestamp::now();
    tokio::time::sleep(rest).await;
    let share = (cpu_of(&control) - before) / rest.as_secs_f64() * 100.0;
    let calls = calls_of(&rollcall.identity("control"), asked).await;
    let calls = calls.iter().filter(|call| !call.uri.contains("/leases/") && !call.uri.contains("watch=true")).count();
    vec![
        Figure {
            figure: "people who left before and own nothing, settled",
            value: settled.as_secs_f64(),
            unit: "s",
            bar: Some(("at most", 20.0)),
        },
        Figure {
            figure: "control at rest after that, of a core",
            value: share,
            unit: "%",
            bar: Some(("at most", 1.0)),
        },
        Figure { figure: "API calls of control at rest, in 20 s", value: calls as f64, unit: "calls", bar: None },
    ]
}

/// Control from its start until it knows everything that it watches, with everybody there is, and so many marked accounts and
/// bindings.
pub async fn start(rollcall: &Installation, accounts: u32) -> Vec<Figure> {
    let own = |id: u32| async move {
        let (name, id) = (format!("account-{id}"), id.to_string());
        rollcall.account_of(&id, "apps", &name).await;
        rollcall.bind_users("apps", &name, &[rollcall.user(&id)]).await;
    };
    futures::stream::iter(0..accounts).map(own).buffer_unordered(IN_FLIGHT).collect::<Vec<()>>().await;
    let begun = Instant::now();
    let control = rollcall.control().await;
    let known = within(MANY, "control knows what it watches", || async {
        let logs = rollcall.logs();
        let log = std::fs::read_to_string(logs.iter().rfind(|log| log.to_string_lossy().contains("control-"))?).ok()?;
        log.contains("everything that is watched is known").then_some(())
    });
    known.await;
    let known = begun.elapsed();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let memory = memory_of(&control);
    vec![
        Figure {
            figure: "control from start to ready",
            value: known.as_secs_f64(),
            unit: "s",
            bar: Some(("at most", 10.0)),
        },
        Figure { figure: "memory of control", value: memory, unit: "MiB", bar: Some(("at most", 150.0)) },
    ]
}

/// A leaver whose one real token stands behind accounts that cannot be deleted: from the release to its refusal.
async fn behind_decoys() -> Vec<Figure> {
    let rollcall = Installation::new("bench-decoys", &[("apps", Consent::Canaries)]).await;
    let _running = run(&rollcall).await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    make_decoys(&rollcall, "7").await;
    rollcall.account_of("7", "apps", "z-real").await;
    let token = mint_unbound(&rollcall.admin, &rollcall.target("apps"), "z-real").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.person("7").terminated()).await;
    within(MANY, "the real token is refused", || async {
        (whoami(&token).await == FixedResponse::Refused).then_some(())
    })
    .await;
    let refused = Timestamp::now();
    let released = within(MANY, "the Revocation says when it was released", || async {
        rollcall.revocations("7").await.pop()?.status?.instants?.released
    });
    let value = refused.duration_since(released.await).as_secs_f64();
    vec![Figure {
        figure: "release → real token refused, behind 62 decoys",
        value,
        unit: "s",
        bar: Some(("at most", 15.0)),
    }]
}

fn phase(revocation: &Revocation) -> Option<Phase> {
    revocation.status.as_ref()?.phase
}

/// What each of so many leavers owns.
async fn own(rollcall: &Installation, leavers: u32) {
    let owned = |id: u32| async move {
        let user = id.to_string();
        for account in [format!("laptop-{id}"), format!("script-{id}")] {
            rollcall.account_of(&user, "apps", &account).await;
            let secret: Secret = object(json!({
                "metadata": {"name": format!("{account}-hand-made"), "annotations": {"kubernetes.io/service-account.name": account}},
                "type": "kubernetes.io/service-account-token",
            }));
            let secrets: Api<Secret> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
            secrets.create(&PostParams::default(), &secret).await.unwrap();
        }
        let _binding: RoleBinding = rollcall.bind_users("apps", &format!("view-{id}"), &[rollcall.user(&user)]).await;
    };
    futures::stream::iter(0..leavers).map(owned).buffer_unordered(IN_FLIGHT).collect::<Vec<()>>().await;
}

/// Waits until so many cuts are in this phase, and gives what they say.
async fn waits<T>(
    rollcall: &Installation,
    number: u32,
    phase: Phase,
    asked: impl Fn(&Revocation) -> Option<T>,
) -> Vec<T> {
    let all: Api<Revocation> = rollcall.api();
    let such = ListParams::default().fields(&format!("status.phase={}", phase.as_str()));
    let is_cut = |name: &str| name.ends_with("-cut");
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < MANY, "every leaver is {phase:?}");
        let there = all.list_metadata(&such).await.unwrap().items;
        if there.iter().filter(|one| is_cut(&one.name_any())).count() >= number as usize {
            let found = all.list(&such).await.unwrap().items;
            let found: Vec<T> = found.iter().filter(|r| is_cut(&r.name_any())).filter_map(&asked).collect();
            if found.len() >= number as usize {
                return found;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Seconds of a core that a process has used.
fn cpu_of(service: &Service) -> f64 {
    let pid = service.current.lock().unwrap().0.lock().unwrap().id();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default().to_owned(); // the name of the program may hold blanks
    let ticks: f64 = after.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0 // USER_HZ, which is a hundred wherever Linux runs
}
