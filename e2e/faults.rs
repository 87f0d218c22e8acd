//! A revocation with every kind of act in it, and whatever can go wrong with a call, at each of its calls: one end, nothing done twice,
//! nothing touched that is somebody else's, and evidence that verifies. And the same while two of each identity lead at once.
//!
//! `make faults` tells all of it, `make faults FAULTS=rest` what was not told yet, or not well, and `make faults FAULTS=` sixteen, spread over
//! all; on a busy machine some come too late. A failure says what went wrong at which call: `FAULTS='Crash at call 1 of DELETE'` tells only
//! those whose words hold this.

mod lane;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::time::Instant;

use futures::FutureExt;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::Api;
use tokio::runtime::{Handle, Runtime};

use crate::faults::lane::{Lane, Pair, Who};
use crate::support::faults::{Mishap, Planned};
use crate::support::proxy::Fault;
use crate::support::waiting::eventually;

/// Installations side by side where everything is told: most of the time is that of waiting for what was lost.
const LANES: usize = 5;
/// How often the first leaver is tried.
const FIRST: usize = 4;
/// People who leave at once, each with a mishap of their own.
const AT_ONCE: usize = 32;
/// How many are told where a part is.
const SOME: usize = 16;
/// What came to its end, a line each.
const TOLD: &str = "target/faults.told";

/// Each mishap at each of these calls, in an order in which few of one kind, and few at one call, follow each other.
fn pairs(calls: &BTreeMap<Who, BTreeMap<String, usize>>) -> Vec<Pair> {
    let mut of_kind: Vec<VecDeque<Pair>> = Vec::new();
    for (place, mishap) in Mishap::ALL.iter().copied().enumerate() {
        let mut all = VecDeque::new();
        for (who, calls) in calls {
            for (call, times) in calls.iter().filter(|(call, _)| mishap.suits(call)) {
                let planned = |nth| (*who, Planned { call: call.clone(), nth, mishap });
                all.extend((1..=(*times).min(2)).map(planned));
            }
        }
        let turned = all.len() * place / Mishap::ALL.len();
        all.rotate_left(turned);
        of_kind.push(all);
    }
    let mut pairs = Vec::new();
    while of_kind.iter().any(|all| !all.is_empty()) {
        pairs.extend(of_kind.iter_mut().filter_map(VecDeque::pop_front));
    }
    pairs
}

/// What is told: a part, spread over all; or all; or what was not told before; or those whose words hold a text.
fn chosen(all: &[Pair]) -> Vec<Pair> {
    let such = |is: &dyn Fn(&str) -> bool| all.iter().filter(|pair| is(&words(pair))).cloned().collect();
    match std::env::var("ROLLCALL_FAULTS").as_deref() {
        Err(_) | Ok("") => (0..SOME).map(|at| all[(at * all.len() / SOME + at) % all.len()].clone()).collect(),
        Ok("all") => {
            fs::remove_file(TOLD).ok();
            all.to_vec()
        }
        Ok("rest") => {
            let told = fs::read_to_string(TOLD).unwrap_or_default();
            let told: BTreeSet<&str> = told.lines().collect();
            such(&|words| !told.contains(words))
        }
        Ok(part) => such(&|words| words.contains(part)),
    }
}

/// A mishap in words, in one line.
pub fn words((who, planned): &Pair) -> String {
    format!("{}: {planned}", who.as_str())
}

/// Notes what came to its end.
fn note(wave: &[Pair]) {
    let mut told = File::options().create(true).append(true).open(TOLD).unwrap();
    let lines: String = wave.iter().map(|pair| words(pair) + "\n").collect();
    told.write_all(lines.as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes, and a machine with nothing else to do: make faults"]
async fn whatever_goes_wrong_at_whatever_call_every_act_of_a_revocation_comes_to_the_same_end_and_is_done_once() {
    let begun = Instant::now();
    let (mut first, alive) = Lane::open().await;
    let mut id = String::new();
    for _ in 0..FIRST {
        first.wave(&[None]).await;
        id = first.next.to_string();
        if !first.untrimmed.contains(&id) {
            break; // on a busy machine a trim may come too late
        }
    }
    let calls: BTreeMap<Who, _> = first.proxies.iter().map(|(who, proxy)| (*who, proxy.mishaps().made(&id))).collect();
    let acts = ["frozennames", "DELETE", "externalsecrets", "PUT /apis/rbac", "ns-hooks/jobs", "deployments"];
    for act in acts.into_iter().chain(["rooms/pods/room-{}-0/eviction", "crews/pods/crew-{}-0/eviction"]) {
        let made = calls.values().flat_map(BTreeMap::keys).any(|call| call.contains(act));
        assert!(made, "{act} is an act of this revocation: {calls:#?}");
    }
    let all = pairs(&calls);
    let chosen = chosen(&all);
    let number = chosen.len();
    let waves: VecDeque<Vec<Pair>> = chosen.chunks(AT_ONCE).map(<[Pair]>::to_vec).collect();
    let lanes = waves.len().min(LANES);
    let (waves, missed, wrong) = (Mutex::new(waves), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let tell = async |opened: (Lane, Box<dyn Any>)| {
        let (mut lane, mut alive) = opened;
        loop {
            let Some(wave) = waves.lock().unwrap().pop_front() else { break };
            let told: Vec<Option<Pair>> = wave.iter().cloned().map(Some).collect();
            match AssertUnwindSafe(lane.wave(&told)).catch_unwind().await {
                Ok(more) => {
                    note(&wave);
                    missed.lock().unwrap().extend(more);
                }
                Err(panic) => {
                    // The others are told all the same, elsewhere.
                    wrong
                        .lock()
                        .unwrap()
                        .push(panic.downcast::<String>().map_or_else(|_| "?".to_owned(), |text| *text));
                    drop(alive);
                    (lane, alive) = Lane::open().await;
                }
            }
            let left = waves.lock().unwrap().len();
            println!("{left} waves of {AT_ONCE} are left, after {} s", begun.elapsed().as_secs());
        }
        lane.nothing_was_done_twice().await;
        drop(alive);
    };
    // Each in a thread of its own: a lane that waits for a command holds up everything of its thread.
    let other = || Runtime::new().unwrap().block_on(async { tell(Lane::open().await).await });
    let here = Handle::current();
    tokio::task::block_in_place(|| {
        std::thread::scope(|threads| {
            (1..lanes).for_each(|_| drop(threads.spawn(other)));
            here.block_on(tell((first, alive)));
        });
    });
    let (missed, wrong) = (missed.into_inner().unwrap(), wrong.into_inner().unwrap());
    println!(
        "{} of {number} mishaps, of {} that there are, in {} s",
        number - missed.len(),
        all.len(),
        begun.elapsed().as_secs()
    );
    for pair in &missed {
        println!("no such call was made: {}", words(pair));
    }
    assert!(wrong.is_empty(), "{} went wrong:\n{}", wrong.len(), wrong.join("\n────\n"));
    assert!(missed.len() * 4 <= number, "{} of {number} came to pass", number - missed.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes, and a machine with nothing else to do: make faults"]
async fn while_two_of_each_identity_lead_at_once_every_act_is_done_once_all_the_same() {
    let (mut lane, _alive) = Lane::open().await;
    let leases: Api<Lease> = lane.rollcall.api();
    let holder = async |command: &str| {
        let lease = leases.get(&format!("{}-{command}", lane.rollcall.release)).await.unwrap();
        lease.spec.and_then(|spec| spec.holder_identity)
    };
    let mut led = BTreeMap::new();
    for command in ["sync", "control", "trim"] {
        led.insert(command, holder(command).await);
    }
    // What they renew from now on, nobody hears of, as with a clock that stands still: they lead on, and others begin to.
    for proxy in lane.proxies.values() {
        proxy.fails_by(Fault::LeaseUnheard);
    }
    let _others = (lane.rollcall.sync().await, lane.rollcall.control().await, lane.rollcall.trim().await);
    for (command, first) in &led {
        let what = format!("another one leads too: {command}");
        eventually(&what, || async { (holder(command).await != *first).then_some(()) }).await;
    }
    lane.wave(&[const { None }; 8]).await;
    for proxy in [Who::Sync, Who::Control, Who::Trim].map(|who| &lane.proxies[&who]) {
        let calls = proxy.calls();
        assert!(
            calls.iter().any(|call| call.starts_with("PUT") && call.contains("/leases/")),
            "the first led on: {calls:?}"
        );
    }
    lane.nothing_was_done_twice().await;
}
