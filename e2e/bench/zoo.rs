//! Every kind of access that a person can have, counted by what becomes of it: predicted by the plan, and tried.

use std::collections::BTreeMap;

use crate::Figure;
use crate::support::zoo::{Fate, Told, installed, tell};

/// The counts.
pub async fn figures() -> Vec<Figure> {
    let (rollcall, _running) = installed("bench-zoo").await;
    let told = tell(&rollcall).await.told;
    for one in &told {
        println!("{:<70} {}", one.words, one.predicted);
    }
    let counts = counts(&told);
    let wrong = |one: &&Told| one.predicted == Fate::Unseen || one.predicted.is_refused() == one.works;
    let number = |figure, value: usize, bar| Figure { figure, value: value as f64, unit: "kinds", bar };
    vec![
        number("access kinds minted", told.len(), Some(("at least", 20.0))),
        number("access kinds refused at the cut", counts["at the cut"], None),
        number("access kinds refused after approval", counts["after approval"], None),
        number("access kinds remaining, with a date or a reason", counts["remaining"], None),
        number("access kinds not as the plan predicts", told.iter().filter(wrong).count(), Some(("at most", 0.0))),
    ]
}

/// How many of the kinds share each fate, by its words.
fn counts(told: &[Told]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::from([("at the cut", 0), ("after approval", 0), ("remaining", 0)]);
    for one in told {
        let fate = match one.predicted {
            Fate::AtTheCut => "at the cut",
            Fate::AfterApproval => "after approval",
            Fate::Remains { .. } => "remaining",
            Fate::Unseen => continue,
        };
        *counts.entry(fate).or_default() += 1;
    }
    counts
}
