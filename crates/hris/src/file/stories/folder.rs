//! A folder of deliveries that list everybody.

use std::fs;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const NONE: &str = "nothing: no file of the name path.pattern waits in the folder";
const NO_NEW: &str = "nothing: no file came since the one that was read last";

fn nothing(why: &str) -> Result<Vec<String>, Failure> {
    Ok(vec![why.to_owned()])
}

fn found<const N: usize>(ids: [&str; N]) -> Result<Vec<String>, Failure> {
    Ok(ids.map(str::to_owned).to_vec())
}

#[tokio::test]
async fn the_newest_by_its_name_is_read_once_and_what_is_no_delivery_is_not() {
    let server = Server::start();
    let source = source(&server, |_, _| {});
    let mut cache = FetchCache::default();
    assert_eq!(believe(&source, &mut cache).await, nothing(NONE));
    for name in [
        "people_2026-03-12.csv.part",
        "people_2026-03-12.csv.filepart",
        ".people_2026-03-12.csv",
        "people_2026-03-12.csv~",
        "People_2026-03-12.csv",
        "others_2026-03-12.csv",
        "below/people_2026-03-12.csv",
        "people_2026-03-13.csv/x",
    ] {
        server.put(name, people([9]), 0);
    }
    std::os::unix::fs::symlink("/etc/passwd", server.folder().join("people_2026-03-14.csv")).unwrap();
    assert_eq!(believe(&source, &mut cache).await, nothing(NONE));
    server.put("people_2026-03-09.csv", people([1, 2]), 1);
    server.put("people_2026-03-08.csv", people([1]), 0); // copied later
    assert_eq!(believe(&source, &mut cache).await, found(["1", "2"]));
    assert_eq!(believe(&source, &mut cache).await, nothing(NO_NEW));
    server.put("people_2026-03-10.csv", people([1, 2, 3]), 0);
    assert_eq!(believe(&source, &mut cache).await, found(["1", "2", "3"]));
    server.put("people_2026-03-10.csv", people([1, 2, 4]), 3); // delivered again, corrected
    assert_eq!(believe(&source, &mut cache).await, found(["1", "2", "4"]));
    assert_eq!(
        believe(&source, &mut FetchCache::default()).await,
        found(["1", "2", "4"]),
        "after a start it is read again"
    );
    cache.forget();
    assert_eq!(believe(&source, &mut cache).await, found(["1", "2", "4"]), "and when somebody asks for it");
}

#[tokio::test]
async fn an_answer_that_was_not_believed_is_read_again_and_an_older_one_is_what_it_is() {
    let server = Server::start();
    let source = source(&server, |_, _| {});
    let mut cache = FetchCache::default();
    server.put("people_2026-03-09.csv", people([1, 2]), 1);
    assert_eq!(ask(&source, &mut cache).await, found(["1", "2"]));
    assert_eq!(believe(&source, &mut cache).await, found(["1", "2"]), "held before, in case it was accepted");
    fs::remove_file(server.folder().join("people_2026-03-09.csv")).unwrap();
    server.put("people_2026-03-01.csv", people([1]), 0);
    let Ok(Fetched::New(read)) = look(&source, &NEAR, LONG, TODAY, &mut cache).await else { panic!("not read") };
    assert_eq!(read.delivered.dated, Some(jiff::civil::date(2026, 3, 1).at(0, 0, 0, 0)), "the gate refuses it");
    assert!(read.delivered.at.is_some() && !read.part);
}

#[tokio::test]
async fn a_file_that_two_could_be_is_none() {
    let server = Server::start();
    let mut cache = FetchCache::default();
    server.put("people-a.csv", people([1]), 2);
    server.put("people-b.csv", people([2]), 1);
    let glob = source(&server, |file, _| file.pattern = "people*.csv".to_owned());
    let several = "one newest file: 2 files have a name that fits, and no date in it";
    assert_eq!(ask(&glob, &mut cache).await, Err(Failure::Missing(several.to_owned())));
    fs::remove_file(server.folder().join("people-a.csv")).unwrap();
    assert_eq!(ask(&glob, &mut cache).await, found(["2"]));
}

#[tokio::test]
async fn an_upload_is_read_when_it_stands_still_and_a_reader_that_comes_once_does_not_wait() {
    let server = Server::start();
    let source = source(&server, |file, _| file.complete = Complete::Unchanged(2));
    let mut cache = FetchCache::default();
    let whole = people([1, 2]);
    let waits =
        "nothing: 1 files are not known to be whole; of the last, its size and time were the same in 1 of 2 polls";
    server.put("people_2026-03-09.csv", &whole[..whole.len() - 20], 3);
    assert_eq!(ask(&source, &mut cache).await, nothing(waits));
    server.put("people_2026-03-09.csv", &whole, 2);
    assert_eq!(ask(&source, &mut cache).await, nothing(waits));
    assert_eq!(ask(&source, &mut FetchCache::once()).await, found(["1", "2"]));
    assert_eq!(ask(&source, &mut cache).await, found(["1", "2"]));
}

#[tokio::test]
async fn a_checksum_beside_it_says_whether_a_file_is_whole() {
    let server = Server::start();
    let source = source(&server, |file, _| (file.complete, file.archive) = (Complete::Checksum, true));
    let mut cache = FetchCache::default();
    let sum = |text: &str| {
        use sha2::Digest as _;
        format!("{}  people_2026-03-09.csv\n", data_encoding::HEXUPPER.encode(&sha2::Sha256::digest(text)))
    };
    let (half, whole) = (people([1]), people([1, 2]));
    server.put("people_2026-03-09.csv", &half, 2);
    server.put("people_2026-03-09.csv.sha256", sum(&whole), 2);
    let other = Failure::Truncated("it is not the file its checksum file was made of".to_owned());
    assert_eq!(believe(&source, &mut cache).await, Err(other));
    assert_eq!(server.names("failed"), [""; 0], "it may still be on its way");
    server.put("people_2026-03-09.csv", &whole, 1);
    assert_eq!(believe(&source, &mut cache).await, found(["1", "2"]));
    assert_eq!((server.names(""), server.names("processed").len()), (vec![], 2));
}

#[tokio::test]
async fn what_was_read_is_moved_away_under_a_name_of_its_own() {
    let server = Server::start();
    let moving =
        source(&server, |file, _| (file.archive, file.complete) = (true, Complete::Marker(".done".to_owned())));
    let mut cache = FetchCache::default();
    for day in ["08", "09"] {
        server.put(&format!("people_2026-03-{day}.csv"), people([1, 2]), 9);
        server.put(&format!("people_2026-03-{day}.csv.done"), "", 9);
    }
    server.put("people_2026-03-10.csv", people([1]), 9); // still being written
    assert_eq!(ask(&moving, &mut cache).await, found(["1", "2"]));
    assert_eq!(server.names("").len(), 5, "a held response stays where it is");
    assert_eq!(believe(&moving, &mut cache).await, found(["1", "2"]));
    assert_eq!(server.names(""), ["people_2026-03-10.csv"]);
    let processed = server.names("processed");
    let starts = [
        "people_2026-03-08.csv.",
        "people_2026-03-08.csv.done.",
        "people_2026-03-09.csv.",
        "people_2026-03-09.csv.done.",
    ];
    assert_eq!(processed.len(), 4);
    assert!(starts.iter().all(|start| processed.iter().any(|name| name.starts_with(start))), "{processed:?}");
    assert!(
        matches!(believe(&moving, &mut cache).await.unwrap().as_slice(), [why] if why.starts_with("nothing: 1 files"))
    );

    let mut started = FetchCache::default();
    assert_eq!(believe(&moving, &mut started).await, found(["1", "2"]), "after a start, from where it lies now");
    assert_eq!(server.names("processed"), processed);

    server.put("people_2026-03-09.csv", people([1, 2]), 8); // the same once more
    server.put("people_2026-03-09.csv.done", "", 8);
    assert_eq!(believe(&moving, &mut cache).await, found(["1", "2"]));
    assert_eq!(server.names("processed").len(), 6, "nothing is written over");
}

#[tokio::test]
async fn a_delivery_that_is_no_good_is_moved_away_and_stays_the_newest_until_a_better_one_comes() {
    let server = Server::start();
    let moving = source(&server, |file, _| file.archive = true);
    let mut cache = FetchCache::default();
    server.put("people_2026-03-08.csv", people([1, 2]), 9);
    assert_eq!(believe(&moving, &mut cache).await, found(["1", "2"]));
    let broken = Failure::Truncated("line 3 has 2 cells, the header has 4".to_owned());
    server.put("people_2026-03-09.csv", format!("{}3,Bo", people([1])), 5);
    for again in 0..2 {
        assert_eq!(believe(&moving, &mut cache).await, Err(broken.clone()), "{again}");
    }
    assert_eq!((server.names(""), server.names("failed").len()), (vec![], 1));
    assert_eq!(believe(&moving, &mut FetchCache::default()).await, Err(broken), "a start does not hide it");
    server.put("people_2026-03-10.csv", people([1, 2, 3]), 1);
    assert_eq!(believe(&moving, &mut cache).await, found(["1", "2", "3"]));
    assert_eq!((server.names("failed").len(), server.names("processed").len()), (1, 2));
}

#[tokio::test]
async fn an_account_that_may_only_read_reads_and_says_that_it_moves_nothing() {
    let server = Server::start();
    server.put("people_2026-03-09.csv", people([1]), 5);
    let reader = |archive| source(&server, |file, _| (file.user, file.archive) = ("reader".to_owned(), archive));
    let mut cache = FetchCache::default();
    assert_eq!(believe(&reader(false), &mut cache).await, found(["1"]));
    assert_eq!(believe(&reader(false), &mut cache).await, nothing(NO_NEW));

    let (moving, mut cache) = (reader(true), FetchCache::default());
    assert_eq!(ask(&moving, &mut cache).await, found(["1"]));
    cache.believed();
    assert_eq!(settle(&moving, &NEAR, &mut cache).await, Err(Failure::Forbidden));
    assert!(cache.unsettled(), "tried again with the next poll");
    assert_eq!(ask(&moving, &mut cache).await, nothing(NO_NEW), "and not read again for that");
    assert_eq!(server.names(""), ["people_2026-03-09.csv"]);
}

/// Passes bytes on between us and a server, and does something once, after so many of the server's.
async fn meddled(to: u16, after: usize, meddle: impl Fn() + Send + 'static, stop: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (ours, _) = listener.accept().await.unwrap();
        let theirs = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
        let (mut our_read, mut our_write) = ours.into_split();
        let (mut their_read, mut their_write) = theirs.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut our_read, &mut their_write).await });
        let (mut seen, mut done, mut buffer) = (0, false, vec![0; 16 * 1024]);
        while let Ok(read @ 1..) = their_read.read(&mut buffer).await {
            seen += read;
            if seen > after && !done {
                done = true;
                meddle();
                if stop {
                    std::future::pending::<()>().await;
                }
            }
            if our_write.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    });
    port
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_read_is_not_read() {
    let server = Server::start();
    let path = server.put("people_2026-03-09.csv", people(0..40_000), 5);
    let append = move || {
        use std::io::Write as _;
        fs::File::options().append(true).open(&path).unwrap().write_all(people([50_000]).as_bytes()).unwrap();
    };
    let port = meddled(server.port, 300_000, append, false).await;
    let slow = source(&server, |file, _| file.port = port);
    assert_eq!(ask(&slow, &mut FetchCache::default()).await, nothing("nothing: the file changed while it was read"));
}

#[tokio::test]
async fn a_server_that_falls_silent_ends_with_the_time_of_the_poll() {
    let server = Server::start();
    server.put("people_2026-03-09.csv", people(0..40_000), 5);
    let port = meddled(server.port, 300_000, || {}, true).await;
    let silent = source(&server, |file, _| file.port = port);
    let found = look(&silent, &NEAR, Duration::from_secs(3), TODAY, &mut FetchCache::default()).await;
    assert_eq!(ids(found), Err(Failure::TimedOut));
}

#[tokio::test]
async fn a_file_beyond_the_bound_is_not_fetched_and_a_folder_that_is_not_there_is_said() {
    let server = Server::start();
    let path = server.put("people_2026-03-09.csv", "x", 5);
    fs::File::options().write(true).open(path).unwrap().set_len(csv::LARGEST as u64 + 1).unwrap(); // sparse
    assert_eq!(ask(&source(&server, |_, _| {}), &mut FetchCache::default()).await, Err(Failure::TooLarge));
    let nowhere = source(&server, |file, _| file.directory = "/nowhere/at all".to_owned());
    let missing = Failure::Missing("the folder of path.directory, or the file in it".to_owned());
    assert_eq!(ask(&nowhere, &mut FetchCache::default()).await, Err(missing));
    let forbidden = source(&server, |file, _| file.directory = "/root".to_owned());
    assert_eq!(ask(&forbidden, &mut FetchCache::default()).await, Err(Failure::Forbidden));
}
