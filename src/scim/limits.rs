//! How fast a client may ask: a bucket of requests a connection, which fills at a steady rate. Pure: the time is an argument.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A rate, and how much may come at once.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Requests a second.
    pub each_second: f64,
    /// Requests at once.
    pub at_once: f64,
}

/// Requests of one connection, with a valid token.
pub const CONNECTION: Rate = Rate { each_second: 100.0, at_once: 400.0 };
/// Requests without a valid token, of everybody together.
pub const STRANGERS: Rate = Rate { each_second: 5.0, at_once: 50.0 };

/// Requests to the address of one webhook, before it is known who asks. A vendor that is told to come back does so.
pub const WEBHOOKS: Rate = Rate { each_second: 20.0, at_once: 200.0 };

/// Requests for public keys, of everybody together: receivers keep what they read.
pub const KEYS: Rate = Rate { each_second: 10.0, at_once: 100.0 };

/// Buckets by name.
#[derive(Debug, Default)]
pub struct Buckets(Mutex<HashMap<String, (f64, Instant)>>);

impl Buckets {
    /// Takes one out of a bucket, if there is one.
    pub fn take(&self, name: &str, rate: Rate, now: Instant) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, at) = buckets.get(name).copied().unwrap_or((rate.at_once, now));
        let filled = now.saturating_duration_since(at).as_secs_f64().mul_add(rate.each_second, left).min(rate.at_once);
        let taken = filled >= 1.0;
        buckets.insert(name.to_owned(), (if taken { filled - 1.0 } else { filled }, now));
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_gives_what_is_in_it_and_fills_again() {
        let (buckets, start) = (Buckets::default(), Instant::now());
        let rate = Rate { each_second: 2.0, at_once: 3.0 };
        let taken = |at: f64| buckets.take("okta", rate, start + Duration::from_secs_f64(at));
        assert_eq!([0.0, 0.0, 0.0, 0.0].map(taken), [true, true, true, false]);
        assert_eq!([0.4, 0.6, 0.7].map(taken), [false, true, false]);
        assert!(buckets.take("entra", rate, start), "another has its own");
        assert_eq!([100.0; 4].map(taken), [true, true, true, false], "never more than it holds");
    }
}
