//! What the stories are told with: a cluster, an installation, people, tokens, and ways to look.

pub mod attempts;
pub mod chart;
pub mod cluster;
pub mod connect;
pub mod debian;
pub mod decoys;
pub mod faults;
pub mod files;
pub mod hook_node;
pub mod installation;
pub mod kubelet;
pub mod leaks;
pub mod measures;
pub mod objects;
pub mod people;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod rotators;
pub mod s3;
pub mod slapd;
pub mod tokens;
pub mod vendor;
pub mod waiting;
pub mod webhook;
pub mod zoo;
