//! A folder of deliveries that each say only what changed.

use super::*;

fn changes(server: &Server) -> Source {
    source(server, |file, coverage| (file.archive, *coverage) = (true, Coverage::Changes))
}

fn file(lines: &[(u32, &str)]) -> String {
    let line = |(id, status): &(u32, &str)| format!("{id},Ada Example,ada{id}@example.com,{status}\n");
    std::iter::once("employeeId,fullName,email,status\n".to_owned()).chain(lines.iter().map(line)).collect()
}

/// Who is in the answer, and what is said of them.
async fn said(source: &Source, cache: &mut FetchCache) -> Vec<String> {
    crate::check(source).unwrap();
    match look(source, &NEAR, LONG, TODAY, cache).await {
        Ok(Fetched::New(read)) => {
            assert!(read.part);
            cache.believed();
            settle(source, &NEAR, cache).await.unwrap();
            let mut said: Vec<_> = read
                .employees
                .iter()
                .map(|employee| format!("{} {}", employee.id, employee.reported_status.as_str()))
                .collect();
            said.sort();
            said
        }
        other => vec![format!("{:?}", ids(other))],
    }
}

#[tokio::test]
async fn what_a_newer_file_says_stands_and_nothing_is_lost_by_a_start() {
    let server = Server::start();
    let (source, mut cache) = (changes(&server), FetchCache::default());
    server.put("people_2026-03-07.csv", file(&[(1, "active"), (2, "active")]), 9);
    server.put("people_2026-03-08.csv", file(&[(1, "terminated")]), 9);
    assert_eq!(said(&source, &mut cache).await, ["1 Terminated", "2 Active"]);
    assert_eq!((server.names(""), server.names("processed").len()), (vec![], 2));
    assert_eq!(said(&source, &mut cache).await, ["Ok([\"nothing: no file came since those that were read last\"])"]);
    server.put("people_2026-03-09.csv", file(&[(3, "active")]), 5);
    let all = ["1 Terminated", "2 Active", "3 Active"];
    assert_eq!(said(&source, &mut cache).await, all);
    assert_eq!(
        said(&source, &mut FetchCache::default()).await,
        all,
        "everybody who left is said to have left by every response"
    );
    // One that was late: what newer files say of the same people stands.
    server.put("people_2026-03-06.csv", file(&[(1, "active"), (4, "active")]), 1);
    assert_eq!(said(&source, &mut cache).await, ["1 Terminated", "2 Active", "3 Active", "4 Active"]);
    // Nothing changed that day.
    server.put("people_2026-03-10.csv", file(&[]), 1);
    assert_eq!(said(&source, &mut cache).await, ["1 Terminated", "2 Active", "3 Active", "4 Active"]);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_holds_those_after_it() {
    let server = Server::start();
    let (source, mut cache) = (changes(&server), FetchCache::default());
    server.put("people_2026-03-07.csv", file(&[(1, "active")]), 9);
    server.put("people_2026-03-08.csv", "employeeId,fullName,email,status\n1,Ada", 9);
    server.put("people_2026-03-09.csv", file(&[(2, "active")]), 9);
    for _ in 0..2 {
        let found = ask(&source, &mut cache).await;
        assert_eq!(found, Err(Failure::Truncated("line 2 has 2 cells, the header has 4".to_owned())));
    }
    assert_eq!(server.names("").len(), 3, "none is moved away, since the order counts");
    server.put("people_2026-03-08.csv", file(&[(1, "terminated")]), 8);
    assert_eq!(said(&source, &mut cache).await, ["1 Terminated", "2 Active"]);
}

#[tokio::test]
async fn an_order_that_cannot_be_told_is_refused() {
    let server = Server::start();
    let source = source(&server, |file, coverage| {
        (file.pattern, *coverage) = ("people_%Y-%m-%d*.csv".to_owned(), Coverage::Changes);
    });
    server.put("people_2026-03-07.csv", file(&[(1, "active")]), 9);
    server.put("people_2026-03-07b.csv", file(&[(1, "terminated")]), 8);
    let several = "one newest file: several files have the same date in their names";
    assert_eq!(ask(&source, &mut FetchCache::default()).await, Err(Failure::Missing(several.to_owned())));
    for pattern in ["people.csv", "people*.csv"] {
        let undated = super::source(&server, |file, coverage| {
            (file.pattern, *coverage) = (pattern.to_owned(), Coverage::Changes);
        });
        assert!(crate::check(&undated).unwrap_err().starts_with("mode Delta needs"), "{pattern}");
    }
}
