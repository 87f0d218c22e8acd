//! Every folder of the catalogue, read over real HTTP from a fake of its system: as its pages are, and with every fault
//! a system is known for, wherever it can come. None may end in a wrong employee, or in a missing one that looks like a
//! whole answer. `conformance` holds the table.
//!
//! Folders are read as they lie there, the definition too.

use std::fs;
use std::path::PathBuf;

use domain::employee::Failure;
use test_tls::Authority;

use super::*;
use crate::conformance::{Folder, Reader, test};

/// Where the folders lie.
pub(crate) fn root() -> PathBuf {
    PathBuf::from("../../connectors")
}

/// Their names.
pub(crate) fn folders() -> Vec<String> {
    let folders = fs::read_dir(root()).unwrap();
    let mut names: Vec<_> = folders.map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connector_reads_its_recorded_pages_as_expected_and_no_fault_ends_in_a_wrong_employee() {
    let mut wrong = Vec::new();
    let trials = folders().into_iter().map(|name| {
        let folder = root().join(&name);
        (name, tokio::spawn(async move { test(&folder).await }))
    });
    for (name, trial) in trials.collect::<Vec<_>>() {
        match trial.await.unwrap() {
            Ok(report) => wrong.extend(report.wrong.into_iter().map(|why| format!("{name}: {why}"))),
            Err(why) => wrong.push(why),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn no_connector_reads_anything_behind_a_certificate_that_nobody_vouches_for() {
    for name in folders() {
        let Ok(folder) = Folder::open(&root().join(&name)) else { continue }; // that is the other story's
        let (router, heard) = folder.router("https://localhost").unwrap();
        let here = test_tls::serve(Authority::new().server("localhost", None), router).await;
        let reader = Reader::new(&folder.definition).unwrap();
        let read = reader.read(&folder.source(&here), LONG, TODAY).await;
        assert!(matches!(&read, Err(Failure::Unreachable(why)) if why.starts_with("no TLS with")), "{name}: {read:?}");
        assert!(heard().is_empty(), "{name}");
    }
}
