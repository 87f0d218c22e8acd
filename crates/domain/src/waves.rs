//! Waves: which pods of an account that was handed over are replaced next.
//!
//! Every pod that is older than the account has a token that is refused. What makes its pods again has them replaced, a few at a time;
//! a pod that nothing would make again, and that of a Job, is left to its owner: replacing it would end what it does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use crate::rotation::adoption::Maker;

/// A pod that runs as the account, and has not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// When it was created, by the API server's clock, in whole seconds.
    pub created: Timestamp,
    /// What makes it.
    pub maker: Maker,
    /// Whether it says that it is ready.
    pub ready: bool,
    /// Whether it is being deleted.
    pub ending: bool,
    /// Whether it carries the break-glass label.
    pub break_glass: bool,
}

/// How far the waves are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wave {
    /// Name and uid of what may be replaced now.
    pub next: Vec<(String, String)>,
    /// Names of what is still to be replaced, by what makes it.
    pub old: BTreeMap<Maker, BTreeSet<String>>,
    /// How many are being replaced, and not ready yet.
    pub under_way: usize,
    /// Names of what is not replaced, by what makes it: it goes on with a token that is refused.
    pub left: BTreeMap<Maker, BTreeSet<String>>,
}

impl Wave {
    /// Whether everything that is replaced was, and is ready again.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.old.is_empty() && self.under_way == 0
    }
}

/// How many pods each maker is to have: those that ran as the account when the waves began.
#[must_use]
pub fn wanted(pods: &[Pod]) -> BTreeMap<Maker, usize> {
    let mut wanted: BTreeMap<Maker, usize> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| is_replaced(pod)) {
        let number = wanted.entry(pod.maker.clone()).or_default();
        *number = number.saturating_add(1);
    }
    wanted
}

/// What is replaced next. `since` is when the account was made; of each maker at most `most` pods are out of service at a time by this.
///
/// Both instants are the API server's, in whole seconds: a pod of the very second may have an old token, and counts as old.
#[must_use]
pub fn wave(pods: &[Pod], wanted: &BTreeMap<Maker, usize>, since: Timestamp, most: usize) -> Wave {
    wave_of(pods, wanted, |pod| pod.created.as_second() <= since.as_second(), most)
}

/// The same, where `is_old` says which pods are to be replaced. Others of the same maker are in service where they are ready.
#[must_use]
pub fn wave_of(pods: &[Pod], wanted: &BTreeMap<Maker, usize>, is_old: impl Fn(&Pod) -> bool, most: usize) -> Wave {
    let mut wave = Wave::default();
    let mut back: BTreeMap<&Maker, usize> = BTreeMap::new();
    let mut candidates: BTreeMap<&Maker, Vec<&Pod>> = BTreeMap::new();
    for pod in pods {
        match (is_old(pod), is_replaced(pod)) {
            (true, false) => drop(wave.left.entry(pod.maker.clone()).or_default().insert(pod.name.clone())),
            (true, true) if !pod.ending => candidates.entry(&pod.maker).or_default().push(pod),
            (false, true) if pod.ready && !pod.ending => {
                let number = back.entry(&pod.maker).or_default();
                *number = number.saturating_add(1);
            }
            _ => {}
        }
    }
    let makers: BTreeSet<&Maker> = wanted.keys().chain(candidates.keys().copied()).collect();
    for maker in makers {
        let mut old = candidates.remove(maker).unwrap_or_default();
        let in_service = old.len().saturating_add(back.get(maker).copied().unwrap_or_default());
        // What is called otherwise since the waves began has what it has.
        let out = wanted.get(maker).copied().unwrap_or(in_service).saturating_sub(in_service);
        wave.under_way = wave.under_way.saturating_add(out);
        // What is not ready serves nobody: it goes first.
        old.sort_by_key(|pod| (pod.ready, &pod.name));
        let room = most.saturating_sub(out);
        wave.next.extend(old.iter().take(room).map(|pod| (pod.name.clone(), pod.uid.clone())));
        if !old.is_empty() {
            wave.old.insert(maker.clone(), old.into_iter().map(|pod| pod.name.clone()).collect());
        }
    }
    wave
}

/// Whether a pod is replaced: something makes it again, and nobody said to keep away from it.
fn is_replaced(pod: &Pod) -> bool {
    !pod.break_glass
        && match &pod.maker {
            Maker::Workload(_) => true,
            Maker::Other(kind, _) => ["ReplicaSet", "ReplicationController"].contains(&kind.as_str()),
            Maker::Nobody => false,
        }
}

/// What makes a pod, such as `Deployment web`.
#[must_use]
pub fn named(maker: &Maker) -> String {
    match maker {
        Maker::Workload(one) => format!("{} {}", one.kind.as_str(), one.name),
        Maker::Other(kind, name) => format!("{kind} {name}"),
        Maker::Nobody => "nothing".to_owned(),
    }
}

/// Longest text on pods, in characters.
const LONGEST: usize = 200;

/// Pods by what makes them, such as `Deployment web (2), Pod debug`.
#[must_use]
pub fn told(pods: &BTreeMap<Maker, BTreeSet<String>>) -> String {
    struct Told<'a>(&'a Maker, &'a BTreeSet<String>);
    impl fmt::Display for Told<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0 {
                Maker::Workload(one) => write!(f, "{} {} ({})", one.kind.as_str(), one.name, self.1.len()),
                Maker::Other(kind, name) => write!(f, "{kind} {name} ({})", self.1.len()),
                Maker::Nobody => write!(f, "Pod {}", self.1.iter().cloned().collect::<Vec<_>>().join(", Pod ")),
            }
        }
    }
    let text = pods.iter().map(|(maker, names)| Told(maker, names).to_string()).collect::<Vec<_>>().join(", ");
    if text.chars().count() > LONGEST { text.chars().take(LONGEST).chain("…".chars()).collect() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotation::adoption::{Workload, WorkloadKind};

    const SINCE: i64 = 10;

    /// The pods, how many may be out, which are next, and whether it is over.
    type Case = (&'static str, Vec<Pod>, usize, Vec<&'static str>, bool);

    fn web() -> Maker {
        Maker::Workload(Workload { kind: WorkloadKind::Deployment, name: "web".into(), uid: "w".into() })
    }

    fn pod(name: &str, created: i64, ready: bool) -> Pod {
        let created = Timestamp::from_second(created).unwrap();
        Pod {
            name: name.into(),
            uid: format!("u-{name}"),
            created,
            maker: web(),
            ready,
            ending: false,
            break_glass: false,
        }
    }

    fn ending(name: &str) -> Pod {
        Pod { ending: true, ..pod(name, 1, true) }
    }

    fn next(pods: &[Pod], wanted: usize, most: usize) -> (Vec<String>, bool) {
        let wanted = BTreeMap::from([(web(), wanted)]);
        let wave = wave(pods, &wanted, Timestamp::from_second(SINCE).unwrap(), most);
        let over = wave.is_over();
        (wave.next.into_iter().map(|(name, _)| name).collect(), over)
    }

    #[test]
    fn no_more_are_out_of_service_at_a_time_than_may_be() {
        let cases: Vec<Case> = vec![
            ("all are old", vec![pod("a", 1, true), pod("b", 1, true), pod("c", 1, true)], 1, vec!["a"], false),
            ("two at a time", vec![pod("a", 1, true), pod("b", 1, true), pod("c", 1, true)], 2, vec!["a", "b"], false),
            (
                "what is not ready first",
                vec![pod("a", 1, true), pod("b", 1, false), pod("c", 1, true)],
                1,
                vec!["b"],
                false,
            ),
            ("one is ending", vec![ending("a"), pod("b", 1, true), pod("c", 1, true)], 1, vec![], false),
            ("one is gone, and no other is there", vec![pod("b", 1, true), pod("c", 1, true)], 1, vec![], false),
            (
                "the new one is not ready",
                vec![pod("b", 1, true), pod("c", 1, true), pod("d", 11, false)],
                1,
                vec![],
                false,
            ),
            ("it is", vec![pod("b", 1, true), pod("c", 1, true), pod("d", 11, true)], 1, vec!["b"], false),
            (
                "of the very second",
                vec![pod("b", SINCE, true), pod("c", 11, true), pod("d", 11, true)],
                1,
                vec!["b"],
                false,
            ),
            (
                "the last one is not ready",
                vec![pod("c", 11, true), pod("d", 11, true), pod("e", 11, false)],
                1,
                vec![],
                false,
            ),
            ("all are new", vec![pod("c", 11, true), pod("d", 11, true), pod("e", 11, true)], 1, vec![], true),
            (
                "scaled up meanwhile",
                vec![pod("c", 11, true), pod("d", 11, true), pod("e", 11, true), pod("f", 12, false)],
                1,
                vec![],
                true,
            ),
        ];
        for (what, pods, most, expected, over) in cases {
            assert_eq!(next(&pods, 3, most), (expected.into_iter().map(str::to_owned).collect(), over), "{what}");
        }
    }

    #[test]
    fn what_nothing_makes_again_and_what_is_to_be_kept_away_from_is_named_and_not_replaced() {
        let of = |name: &str, maker: Maker| Pod { maker, ..pod(name, 1, true) };
        let other = |kind: &str| Maker::Other(kind.into(), "it".into());
        let glass = Pod { break_glass: true, ..pod("glass", 1, true) };
        let pods = [
            of("alone", Maker::Nobody),
            of("job", other("Job")),
            of("set", other("ReplicaSet")),
            glass,
            pod("web", 1, true),
        ];
        let wanted = wanted(&pods);
        assert_eq!(wanted.values().sum::<usize>(), 2);
        let wave = wave(&pods, &wanted, Timestamp::from_second(SINCE).unwrap(), 1);
        let next: BTreeSet<&str> = wave.next.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(next, BTreeSet::from(["set", "web"]), "each workload by itself");
        assert_eq!(told(&wave.left), "Deployment web (1), Job it (1), Pod alone");
        assert!(told(&wave.old).contains("ReplicaSet it (1)"));
    }

    #[test]
    fn what_runs_as_the_new_account_already_is_nobodys_business() {
        let alone = Pod { maker: Maker::Nobody, ..pod("alone", 11, true) };
        let wave = wave(&[alone], &BTreeMap::new(), Timestamp::from_second(SINCE).unwrap(), 1);
        assert_eq!(wave, Wave::default());
        assert!(wave.is_over());
    }
}
