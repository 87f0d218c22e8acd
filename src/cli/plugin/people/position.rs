//! What `why` says of somebody's moves, of the rules that grant them something, and of names that a human took back.

use jiff::Timestamp;

use super::{World, review};
use crate::api::{Person, person};
use crate::kube::grants;
use domain::moves::in_words;

/// What there is to say.
#[derive(Debug, Default)]
pub struct Position {
    /// The newest move.
    moved: Option<person::Moved>,
    /// When a review that nobody has answered is due, and whether that has passed.
    review: Option<(Timestamp, bool)>,
    /// Names of the rules of their policy that give them something, or why the rules cannot be followed.
    grants: Option<Result<Vec<String>, String>>,
    /// Addresses and user names that a human said are not theirs, and HR still has.
    disputed: Vec<String>,
}

impl Position {
    /// Reads it off the objects.
    pub fn of(world: &World, person: &Person, now: Timestamp) -> Self {
        let status = person.status.as_ref();
        let policy = status.and_then(|status| world.policy(status.policy.as_deref()?));
        let ruled = policy.filter(|policy| !policy.spec.grants.is_empty());
        let dates = status.map(|status| status.alias_dates.as_slice()).unwrap_or_default();
        Self {
            moved: status.and_then(|status| status.moves.as_ref()?.last.clone()),
            review: review::open(person).map(|review| (review.due, review.due <= now)),
            grants: ruled.map(|policy| grants::given(policy, person, &world.people, now)),
            disputed: dates.iter().filter(|one| one.disputed).map(|one| one.alias.clone()).collect(),
        }
    }

    /// In sentences; none where there is nothing to say. Names only where they are asked for.
    pub fn lines(&self, person: &str, unmask: bool) -> Vec<String> {
        let moved =
            self.moved.as_ref().map(|moved| format!("They moved at {:.0}: {}.", moved.at, in_words(&moved.fields)));
        let review = self.review.map(|(due, overdue)| {
            let due = if overdue { format!("overdue since {due:.0}") } else { format!("due {due:.0}") };
            format!("A review of their access is open, {due}: kubectl rollcall review {person}. Nothing ends by it.")
        });
        let grants = self.grants.as_ref().map(|grants| match grants {
            Ok(rules) if rules.is_empty() => "No rule of the policy (spec.grants) gives them anything.".to_owned(),
            Ok(rules) => format!("Rules of the policy (spec.grants) that give them something: {}.", rules.join(", ")),
            Err(why) => format!("The rules of the policy cannot be followed: {why}."),
        });
        let disputed = (!self.disputed.is_empty()).then(|| {
            let which = if unmask { format!(": {}", self.disputed.join(", ")) } else { String::new() };
            let many = self.disputed.len();
            format!("{many} of their addresses and user names are disputed: disowned, and HR still has them{which}.")
        });
        [moved, review, grants, disputed].into_iter().flatten().collect()
    }
}
