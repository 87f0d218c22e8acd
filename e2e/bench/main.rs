//! The bars of the design, measured on a real cluster with a node: one table, and one JSON object a line in
//! `target/bench.jsonl`. Run by `make bench`. What depends on the machine is a ratio within this one run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    dead_code,
    reason = "a benchmark is the world around Rollcall, and uses a part of what the stories use"
)]

mod beside;
mod departure;
mod large;
mod poll;
mod pushes;
mod reading;
mod roster;
#[path = "../support/mod.rs"]
mod support;
mod zoo;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams, PostParams};
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{HRConnection, Person, Revocation, SyncPolicy};
use serde_json::json;
use support::files::FileServer;
use support::installation::{Consent, Installation, POLICY, a_day};
use support::measures::writes_of;
use support::objects::object;
use support::process::Service;
use support::waiting::{eventually, within};

/// The operator's own: a pass allocates for everybody.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// People of the first sync.
const MANY: u32 = 10_000;
/// Leavers, one after another, in two companies.
const LEAVERS: u32 = 20;
/// Requests in flight of the bare writes, as many as sync keeps.
const IN_FLIGHT: usize = 64;

/// One measured figure and its bar.
struct Figure {
    figure: &'static str,
    value: f64,
    unit: &'static str,
    /// `at most` or `at least`, and how much; none where the figure only explains another.
    bar: Option<(&'static str, f64)>,
}

impl Figure {
    fn holds(&self) -> Option<bool> {
        self.bar.map(|(way, bar)| if way == "at most" { self.value <= bar } else { self.value >= bar })
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [part, rest @ ..] = arguments.as_slice() {
        return child(part, rest).await;
    }
    let mut figures = vec![image()];
    figures.extend(reading::figures());
    figures.extend(roster::figures());
    figures.extend(poll::figures());
    if std::env::var_os("ROLLCALL_E2E_KUBECONFIG").is_some() {
        figures.extend(timed("leavers", leavers()).await);
        figures.extend(timed("zoo", zoo::figures()).await);
        figures.extend(departure::figures().await);
        // After these: the bare writes it is compared with would find the API server warmer than it did.
        figures.extend(timed("first sync, and start of control", first_sync()).await);
        figures.extend(timed("large", large::figures()).await);
        figures.extend(timed("everybody", large::everybody()).await); // last: its objects stay, and slow what follows
    }
    report(&figures);
    if figures.iter().any(|figure| figure.holds() == Some(false)) {
        std::process::exit(1);
    }
}

/// The figures of a part; says how long it took, because all of them together have a bar too.
async fn timed(part: &str, figures: impl Future<Output = Vec<Figure>>) -> Vec<Figure> {
    let begun = Instant::now();
    let figures = figures.await;
    println!("{part}: {:.0} s", begun.elapsed().as_secs_f64());
    figures
}

/// One part, when this program is run by itself in a process of its own: it says numbers.
async fn child(part: &str, rest: &[String]) {
    let said = match (part, rest) {
        ("resident", []) => vec![reading::resident()],
        ("roster", []) => vec![roster::pass()],
        ("serve", []) => return poll::serve().await,
        ("poll", [here]) => poll::poll(here).await,
        ("bare", [here]) => poll::bare(here).await,
        ("sync", []) => return report(&first_sync().await),
        ("large", []) => return report(&large::figures().await),
        ("zoo", []) => return report(&zoo::figures().await),
        ("pushes", []) => return report(&pushes::figures().await),
        ("everybody", []) => return report(&large::everybody().await),
        ("departure", words) => return report(&departure::one(words).await),
        _ => panic!("there is no part {part}"),
    };
    said.iter().for_each(|number| println!("{number}"));
}

/// The image is its one binary.
fn image() -> Figure {
    let binary = std::env::var_os("ROLLCALL_IMAGE_BIN").expect("`make bench` sets ROLLCALL_IMAGE_BIN");
    let bytes = std::fs::metadata(binary).unwrap().len();
    Figure { figure: "image", value: bytes as f64 / 1e6, unit: "MB", bar: Some(("at most", 25.0)) }
}

/// The first sync against the bare writes of the same objects, a second sync with nothing changed, and control as it starts with
/// all that.
async fn first_sync() -> Vec<Figure> {
    let rollcall = Installation::new("bench-sync", &[("apps", Consent::Accounts)]).await;
    let sync = rollcall.sync().await;
    eventually("sync is up", || async { (memory_of(&sync) > 0.0).then_some(()) }).await;
    let idle = memory_of(&sync);
    let files = FileServer::serving(rollcall.staff(0..MANY).csv()).await;
    rollcall
        .connect(json!({"source": {"file": {"from": {"configMap": null, "http": {"url": files.url}}}},
                        "network": {"allowPrivateAddresses": true}}))
        .await;
    eventually("the file is read", || async { trusted(&rollcall).await.then_some(()) }).await;
    let begun = Instant::now();
    rollcall.policy(json!({})).await;
    written(&rollcall).await;
    let ours = begun.elapsed();
    let (memory, peak) = (memory_of(&sync), peak_of(&sync));
    let bare = bare_writes(&rollcall, MANY as usize).await;

    let idle_writes = idle_writes(&rollcall, "Person writes of a sync with no change").await;
    let mut figures = vec![
        Figure {
            figure: "first sync of 10,000, of the bare write ceiling",
            value: bare.as_secs_f64() / ours.as_secs_f64(),
            unit: "×",
            bar: Some(("at least", 0.9)),
        },
        Figure { figure: "first sync of 10,000", value: ours.as_secs_f64(), unit: "s", bar: None },
        Figure { figure: "bare create and status of 10,000", value: bare.as_secs_f64(), unit: "s", bar: None },
        idle_writes,
        Figure { figure: "memory of sync, idle", value: idle, unit: "MiB", bar: Some(("at most", 64.0)) },
        Figure { figure: "memory of sync at 10,000", value: memory, unit: "MiB", bar: Some(("at most", 100.0)) },
        Figure { figure: "most memory of sync until then", value: peak, unit: "MiB", bar: None },
    ];
    figures.extend(departure::start(&rollcall, MANY / 2).await);
    figures
}

/// How many Persons a sync writes in which nothing has changed.
async fn idle_writes(rollcall: &Installation, figure: &'static str) -> Figure {
    let before = writes_of(&rollcall.admin, "people").await;
    rollcall.settles(rollcall.poll().await).await;
    let idle = writes_of(&rollcall.admin, "people").await - before;
    Figure { figure, value: idle as f64, unit: "writes", bar: Some(("at most", 0.0)) }
}

/// Resident memory of a process now, in MiB.
fn memory_of(service: &Service) -> f64 {
    line_of(service, "VmRSS:")
}

/// The most that it ever had resident, in MiB.
fn peak_of(service: &Service) -> f64 {
    line_of(service, "VmHWM:")
}

fn line_of(service: &Service, name: &str) -> f64 {
    let pid = service.current.lock().unwrap().0.lock().unwrap().id();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

async fn trusted(rollcall: &Installation) -> bool {
    let connection: HRConnection = rollcall.api().get(&rollcall.connection).await.unwrap();
    connection.status.is_some_and(|status| status.conditions.iter().any(|c| c.is(ConditionType::Trusted, Status::True)))
}

/// Waits until the policy says that every Person is written.
async fn written(rollcall: &Installation) {
    let policies: Api<SyncPolicy> = rollcall.api();
    let many = Duration::from_secs(600);
    within(many, "every Person is written", || async {
        policies.get(POLICY).await.unwrap().status?.connections.pop()?.response.map(drop)
    })
    .await;
}

/// What the API server takes at best: so many of the very Persons that sync wrote, created and their status applied again.
async fn bare_writes(rollcall: &Installation, most: usize) -> Duration {
    let mut written = rollcall.all_persons().await;
    written.truncate(most);
    assert_eq!(written.len(), most);
    let namespace = format!("{}-bare", rollcall.namespace);
    rollcall.make_namespace(&namespace).await;
    let api: Api<Person> = Api::namespaced(rollcall.admin.clone(), &namespace);
    let begun = Instant::now();
    futures::stream::iter(written)
        .for_each_concurrent(IN_FLIGHT, |person| {
            let api = api.clone();
            async move {
                let name = person.name_any();
                let bare = Person::new(&name, person.spec);
                let bare = api.create(&PostParams::default(), &bare).await.unwrap();
                let status = json!({"apiVersion": "rollcall.dev/v1alpha1", "kind": "Person",
                                    "metadata": {"name": name, "uid": bare.uid()}, "status": person.status});
                api.patch_status(&name, &PatchParams::apply("bench").force(), &Patch::Apply(&status)).await.unwrap();
            }
        })
        .await;
    begun.elapsed()
}

/// Leavers one after another, each with a Job of its own: from the trusted answer to the proof. In two companies at once, because a
/// Job waits for the API server's cache before it ends.
async fn leavers() -> Vec<Figure> {
    let (one, other) = futures::join!(leavers_of_a_company(), leavers_of_a_company());
    let (mut proved, mut started): (Vec<f64>, Vec<f64>) = one.into_iter().chain(other).unzip();
    proved.sort_by(f64::total_cmp);
    started.sort_by(f64::total_cmp);
    let at =
        |values: &[f64], share: f64| values[((values.len() as f64 * share).ceil() as usize).clamp(1, values.len()) - 1];
    vec![
        Figure {
            figure: "seen → refused and verified, p50 of 20",
            value: at(&proved, 0.5),
            unit: "s",
            bar: Some(("at most", 2.0)),
        },
        Figure {
            figure: "seen → refused and verified, p99 of 20",
            value: at(&proved, 0.99),
            unit: "s",
            bar: Some(("at most", 5.0)),
        },
        Figure {
            figure: "of that, from release to the revoker's first act, p50",
            value: at(&started, 0.5),
            unit: "s",
            bar: None,
        },
    ]
}

/// Of each leaver the seconds until the proof, and of these those from the release to the first act.
async fn leavers_of_a_company() -> Vec<(f64, f64)> {
    let rollcall = Installation::new("bench-leave", &[("apps", Consent::Canaries)]).await;
    let (_sync, _control) = (rollcall.sync().await, rollcall.control().await);
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": a_day(100)}})).await;
    for id in 0..LEAVERS / 2 {
        rollcall.account_of(&id.to_string(), "apps", &format!("account-{id}")).await;
    }
    let mut staff = rollcall.staff(0..200);
    rollcall.learn(&staff).await;
    let mut took = Vec::new();
    for id in 0..LEAVERS / 2 {
        staff = staff.person(&id.to_string()).terminated();
        rollcall.learn(&staff).await;
        let cut = rollcall.reaches(&id.to_string(), Operation::Cut, Phase::Revoked).await;
        let status = cut.status.unwrap();
        let instants = status.instants.unwrap();
        let proved = status.verified.unwrap().duration_since(instants.seen.unwrap()).as_secs_f64();
        took.push((proved, first_step(&rollcall, &cut.metadata.name.unwrap()).await.unwrap_or_default()));
        eventually("the revoker's Job ends", || async { no_job_runs(&rollcall).await.then_some(()) }).await;
    }
    took
}

/// From the release to the first step of the revoker: what starting a Job costs.
async fn first_step(rollcall: &Installation, name: &str) -> Option<f64> {
    let revocation: Revocation = rollcall.api().get(name).await.unwrap();
    let status = revocation.status?;
    let first = status.steps.iter().map(|step| step.at).min()?;
    Some(first.duration_since(status.instants?.released?).as_secs_f64())
}

async fn no_job_runs(rollcall: &Installation) -> bool {
    let jobs: Api<k8s_openapi::api::batch::v1::Job> =
        Api::namespaced(rollcall.admin.clone(), &rollcall.revoker_namespace());
    let jobs = jobs.list(&Default::default()).await.unwrap().items;
    jobs.iter().all(|job| {
        job.status.as_ref().is_some_and(|status| status.completion_time.is_some() || status.failed > Some(0))
    })
}

fn report(figures: &[Figure]) {
    let mut lines = String::new();
    println!("\n{:<56} {:>10}  {:<7} {:<16} holds", "figure", "value", "unit", "bar");
    for figure in figures {
        let bar = figure.bar.map(|(way, bar)| format!("{way} {bar}")).unwrap_or_default();
        let holds = figure.holds().map_or("", |holds| if holds { "yes" } else { "NO" });
        println!("{:<56} {:>10.2}  {:<7} {:<16} {holds}", figure.figure, figure.value, figure.unit, bar);
        let line: serde_json::Value =
            object(json!({"figure": figure.figure, "value": figure.value, "unit": figure.unit,
            "bar": figure.bar.map(|(way, bar)| format!("{way} {bar}")), "holds": figure.holds()}));
        writeln!(lines, "{line}").unwrap();
    }
    std::fs::create_dir_all("target").unwrap();
    std::fs::write("target/bench.jsonl", lines).unwrap();
}
