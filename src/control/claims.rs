//! For how long a revoker's claim has stood still, by this process's own clock.
//!
//! A claim carries the clock of the node that wrote it, which may be hours off and says nothing here.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::api::revocation::Claim;

/// Claims, by uid of the Revocation, and when each was first seen as it is.
#[derive(Default)]
pub struct Claims(Mutex<HashMap<String, (Claim, Instant)>>);

impl Claims {
    /// For how long this claim has been seen as it is; the first look begins to count.
    pub fn unchanged(&self, uid: &str, claim: &Claim, now: Instant) -> Duration {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get(uid) {
            Some((before, since)) if before == claim => now.saturating_duration_since(*since),
            _ => {
                seen.insert(uid.to_owned(), (claim.clone(), now));
                Duration::ZERO
            }
        }
    }

    /// A Revocation is over or gone.
    pub fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_silent_by_what_this_process_saw_and_not_by_the_instant_in_it() {
        let claim = |at: &str| Claim { by: "revoke-1".to_owned(), at: at.parse().unwrap(), attempt: None };
        let (past, future) = (claim("2001-01-01T00:00:00Z"), claim("2999-01-01T00:00:00Z"));
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        for (what, looks, expected) in [
            ("from a clock behind, seen first", vec![(0, &past)], 0),
            ("from a clock ahead, seen first", vec![(0, &future)], 0),
            ("from a clock ahead, and still the same", vec![(0, &future), (90, &future)], 90),
            ("renewed by a clock that went backwards", vec![(0, &future), (60, &past), (70, &past)], 10),
        ] {
            let claims = Claims::default();
            let unchanged =
                looks.into_iter().map(|(at, claim)| claims.unchanged("u", claim, start + second * at)).last();
            assert_eq!(unchanged, Some(second * expected), "{what}");
        }
    }
}
