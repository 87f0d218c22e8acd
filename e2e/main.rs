//! The stories: Rollcall against a real API server, with real tokens, told end to end; one file a story.
//!
//! Run by `make test`, which brings up the control plane they need.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that finds anything unexpected has failed, and says where"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a story is the world around Rollcall: it deletes, reads the clock and its own environment"
)]

mod support;

mod alerts;
mod answers;
mod batch;
mod bucket;
mod bystanders;
mod cage;
mod changed_world;
mod comes_back;
mod commands;
mod corrected;
mod counted;
mod crash;
mod dashboard;
mod decisions;
mod decoys;
mod denied_returns;
mod disowned;
mod drill;
mod examples;
mod exposed;
mod faults;
mod fields;
mod flows;
mod freeze;
mod freeze_first;
mod gates;
mod gitops;
mod grants;
mod handed_over;
mod hands_over;
mod holders;
mod hooks;
mod identity;
mod idle;
mod instruments;
mod integrations;
mod kustomize;
mod ldap;
mod leaks;
mod leaver;
mod limits;
mod measured;
mod meetings;
mod movers;
mod names;
mod one_human;
mod own_connector;
mod ownership;
mod passing;
mod people;
mod platforms;
mod policies;
mod preview;
mod proof;
mod pruning;
mod rechecked;
mod refusals;
mod remains;
mod replaced;
mod replaced_hr;
mod reports;
mod restore;
mod rotates;
mod says_who_left;
mod scim;
mod scope;
mod sealing;
mod sessions;
mod several_servers;
mod shed;
mod signals;
mod signed;
mod tells;
mod touched;
mod traces;
mod trims;
mod two_approvers;
mod two_leaders;
mod two_policies;
mod two_records;
mod ui;
mod upgrade;
mod used;
mod user_names;
mod walk_out;
mod webhooks;
mod withdrawn;
mod zoo;
