//! Stories told end to end, on a real Kubernetes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail loudly, reads the clock and its environment, and plays every part, the attacker's too"
)]
