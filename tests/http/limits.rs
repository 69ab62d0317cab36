//! Slow, greedy and silent clients; shutdown.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use inference_exporter::http::Limits;

use crate::harness::{PATIENCE, Pages, Server, exchange, read_until_closed, receive, send, wait_for};

/// A limit to run into. A client that keeps it needs a few milliseconds; the rest is for a loaded machine.
const SHORT: Duration = Duration::from_millis(400);

/// More than the kernel buffers of both ends of a loopback connection take (`tcp_rmem` and `tcp_wmem` allow
/// 32 MiB and 4 MiB where they are generous), so that a client that does not read is noticed.
const LARGE: usize = 64 << 20;

fn large() -> Pages {
    Pages { text: vec![b'#'; LARGE], ..Pages::default() }
}

#[test]
fn too_large_a_header_is_refused() {
    let server = Server::start();
    let mut stream = server.connect();
    let header = format!("X: {}\r\n", "x".repeat(64 << 10));
    // The server may close before all of it is sent.
    drop(send(&mut stream, "GET", "/metrics", &header));
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 431");
    assert_eq!(server.ask("GET", "/metrics", &format!("X: {}\r\n", "x".repeat(8 << 10))).status, 200);
}

#[test]
fn a_silent_client_is_closed() {
    let server = Server::with_limits(Limits { header_read_timeout: SHORT, ..Limits::default() });
    assert_eq!(read_until_closed(&mut server.connect()), 0);
}

#[test]
fn a_header_that_trickles_in_does_not_extend_its_time() {
    let server = Server::with_limits(Limits { header_read_timeout: SHORT, ..Limits::default() });
    for kept in [false, true] {
        let mut stream = server.connect();
        if kept {
            assert_eq!(exchange(&mut stream, "GET", "/-/ready", "").status, 200);
        }
        stream.write_all(b"GET /metrics HTTP/1.1\r\nX: ").unwrap();
        stream.set_read_timeout(Some(SHORT / 10)).unwrap();
        let begun = Instant::now();
        let is_open = |stream: &mut TcpStream| {
            let outcome = stream.read(&mut [0]);
            outcome.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        };
        while is_open(&mut stream) && stream.write_all(b"x").is_ok() {
            assert!(begun.elapsed() < PATIENCE, "still open");
        }
    }
}

#[test]
fn a_kept_connection_may_wait_longer_than_a_header_but_not_for_ever() {
    let server = Server::with_limits(Limits {
        header_read_timeout: SHORT,
        idle_timeout: SHORT * 6,
        ..Limits::default()
    });
    let mut stream = server.connect();
    for _ in 0..2 {
        assert_eq!(exchange(&mut stream, "GET", "/-/ready", "").status, 200);
        stream.set_read_timeout(Some(SHORT * 2)).unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "closed before its time");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    assert_eq!(read_until_closed(&mut stream), 0);
}

#[test]
fn a_client_that_does_not_read_is_closed() {
    let limits = Limits { response_write_timeout: SHORT, ..Limits::default() };
    let server = Server::with(large(), None, limits);
    let mut stream = server.connect();
    send(&mut stream, "GET", "/metrics", "").unwrap();
    // Not reading is what is tested, and only time can tell it.
    std::thread::sleep(SHORT * 3);
    assert!(read_until_closed(&mut stream) < LARGE);
}

#[test]
fn an_unread_response_makes_room_for_the_next() {
    let limits = Limits { responses_max: 1, ..Limits::default() };
    let server = Server::with(large(), None, limits);
    let mut greedy = server.connect();
    send(&mut greedy, "GET", "/metrics", "").unwrap();
    greedy.read_exact(&mut [0]).unwrap();
    assert_eq!(server.get("/metrics").body.len(), LARGE);
    assert!(read_until_closed(&mut greedy) < LARGE);
}

#[test]
fn a_response_that_is_still_to_be_left_unread_makes_room_too() {
    let limits = Limits { responses_max: 1, ..Limits::default() };
    let server = Server::with(large(), None, limits);
    let gate = server.pages.gate.lock().unwrap();
    let mut greedy = server.connect();
    send(&mut greedy, "GET", "/metrics", "").unwrap();
    server.wait_until_running(1);
    let mut next = server.connect();
    send(&mut next, "GET", "/metrics", "").unwrap();
    // Asked after it, and answered: the request before has most likely come to wait by now.
    assert_eq!(server.get("/-/healthy").status, 200);
    drop(gate);
    assert_eq!(receive(&mut next, false).unwrap().body.len(), LARGE);
}

#[test]
fn silent_connections_cannot_keep_a_request_out() {
    let server = Server::with_limits(Limits { connections_max: 3, ..Limits::default() });
    let mut silent: Vec<_> = (0..10).map(|_| server.connect()).collect();
    assert_eq!(server.get("/metrics").status, 200);
    assert_eq!(read_until_closed(&mut silent[0]), 0);
}

#[test]
fn one_connection_too_many_is_closed_while_all_are_answered() {
    let limits = Limits { connections_max: 2, ..Limits::default() };
    let server = Server::with_limits(limits);
    let gate = server.pages.gate.lock().unwrap();
    let mut busy: Vec<_> = (0..2).map(|_| server.connect()).collect();
    for stream in &mut busy {
        send(stream, "GET", "/metrics", "").unwrap();
    }
    server.wait_until_running(2);
    assert_eq!(read_until_closed(&mut server.connect()), 0);
    drop(gate);
    for stream in &mut busy {
        assert_eq!(receive(stream, false).unwrap().status, 200);
    }
}

#[test]
fn a_flood_of_scrapes_takes_turns_and_leaves_the_probes_alone() {
    let server = Server::with_limits(Limits { renders_max: 2, ..Limits::default() });
    let gate = server.pages.gate.lock().unwrap();
    let mut flood: Vec<_> = (0..12).map(|_| server.connect()).collect();
    for stream in &mut flood {
        send(stream, "GET", "/metrics", "").unwrap();
    }
    server.wait_until_running(2);
    assert_eq!(server.get("/-/healthy").status, 200);
    drop(gate);
    for stream in &mut flood {
        assert_eq!(receive(stream, false).unwrap().status, 200);
    }
    assert_eq!(server.pages.running_max.load(Ordering::SeqCst), 2);
}

#[test]
fn a_late_page_is_given_up_and_keeps_its_turn_until_it_is_done() {
    let limits = Limits { request_timeout: SHORT, renders_max: 1, ..Limits::default() };
    let server = Server::with_limits(limits);
    let gate = server.pages.gate.lock().unwrap();
    for _ in 0..3 {
        assert_eq!(server.get("/metrics").status, 503);
    }
    assert_eq!(server.pages.running.load(Ordering::SeqCst), 1);
    drop(gate);
    wait_for(|| server.get("/metrics").status == 200);
}

#[test]
fn a_scraper_may_shorten_its_time_and_not_extend_it() {
    let server = Server::start();
    let gate = server.pages.gate.lock().unwrap();
    let begun = Instant::now();
    let response = server.ask("GET", "/metrics", "X-Prometheus-Scrape-Timeout-Seconds: 0.1\r\n");
    assert_eq!(response.status, 503);
    assert!(begun.elapsed() < Limits::default().request_timeout / 2);
    drop(gate);

    let server = Server::with_limits(Limits { request_timeout: SHORT, ..Limits::default() });
    let _gate = server.pages.gate.lock().unwrap();
    let begun = Instant::now();
    let response = server.ask("GET", "/metrics", "X-Prometheus-Scrape-Timeout-Seconds: 15\r\n");
    assert_eq!(response.status, 503);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn shutdown_lets_a_request_in_flight_finish() {
    let limits = Limits { drain_timeout: PATIENCE, ..Limits::default() };
    let mut server = Server::with_limits(limits);
    let mut stream = server.connect();
    let pages = server.pages.clone();
    let gate = pages.gate.lock().unwrap();
    send(&mut stream, "GET", "/metrics", "").unwrap();
    server.wait_until_running(1);
    server.begin_stop();
    wait_for(|| TcpStream::connect(server.address).is_err());
    drop(gate);
    let response = receive(&mut stream, false).unwrap();
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    assert_eq!(read_until_closed(&mut stream), 0);
    assert!(server.stop() < PATIENCE);
}

#[test]
fn shutdown_does_not_wait_for_clients_that_have_asked_nothing() {
    let forever = PATIENCE * 2;
    let limits = Limits { drain_timeout: forever, header_read_timeout: forever, ..Limits::default() };
    let server = Server::with_limits(limits);
    let _silent = server.connect();
    let mut slow = server.connect();
    slow.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
    let mut kept = server.connect();
    assert_eq!(exchange(&mut kept, "GET", "/-/ready", "").status, 200);
    assert!(server.stop() < PATIENCE);
}

#[test]
fn shutdown_is_bounded_with_a_client_that_does_not_read() {
    let limits = Limits { drain_timeout: SHORT, ..Limits::default() };
    let server = Server::with(large(), None, limits);
    let mut greedy = server.connect();
    send(&mut greedy, "GET", "/metrics", "").unwrap();
    greedy.read_exact(&mut [0]).unwrap();
    let took = server.stop();
    assert!(took >= SHORT, "the client was given its time: {took:?}");
    assert!(took < Limits::default().response_write_timeout / 2, "{took:?}");
}
