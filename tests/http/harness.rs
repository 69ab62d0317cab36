//! A server with pages of our choosing on a free port, and a client that shows status, headers and bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use inference_exporter::http::web_config::WebConfig;
use inference_exporter::http::{Exposition, Limits, Reload, Service, Unavailable, listen, server};
use tokio::sync::oneshot;

/// For what must happen at all: far above what a loaded machine needs, so that only a hang exceeds it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What the server says.
pub(crate) struct Pages {
    pub(crate) text: Vec<u8>,
    pub(crate) open_metrics: Vec<u8>,
    pub(crate) unavailable: Option<&'static str>,
    pub(crate) unhealthy: Option<&'static str>,
    pub(crate) unready: Option<&'static str>,
    pub(crate) reload: Reload,
    pub(crate) panics: bool,
    /// Held by a test for as long as `/metrics` is to take.
    pub(crate) gate: Mutex<()>,
    pub(crate) running: AtomicUsize,
    pub(crate) running_max: AtomicUsize,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) pages: Arc<Pages>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

// === impl Pages ===

impl Default for Pages {
    fn default() -> Self {
        Self {
            text: b"text 1\n".to_vec(),
            open_metrics: b"open 1\n# EOF\n".to_vec(),
            unavailable: None,
            unhealthy: None,
            unready: None,
            reload: Reload::Done,
            panics: false,
            gate: Mutex::new(()),
            running: AtomicUsize::new(0),
            running_max: AtomicUsize::new(0),
        }
    }
}

impl Service for Pages {
    fn metrics(&self, format: Exposition) -> Result<Vec<u8>, Unavailable> {
        assert!(!self.panics, "this test wants a panic");
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.running_max.fetch_max(running, Ordering::SeqCst);
        drop(self.gate.lock().unwrap());
        self.running.fetch_sub(1, Ordering::SeqCst);
        match (self.unavailable, format) {
            (Some(reason), _) => Err(Unavailable::new(reason)),
            (None, Exposition::Text) => Ok(self.text.clone()),
            (None, Exposition::OpenMetrics) => Ok(self.open_metrics.clone()),
        }
    }

    fn status_json(&self) -> Vec<u8> {
        b"{\"models\":[]}".to_vec()
    }

    fn status_page(&self) -> String {
        "<!doctype html><title>status</title>".to_owned()
    }

    fn healthy(&self) -> Result<(), String> {
        self.unhealthy.map_or(Ok(()), |reason| Err(reason.to_owned()))
    }

    fn ready(&self) -> Result<(), String> {
        self.unready.map_or(Ok(()), |reason| Err(reason.to_owned()))
    }

    fn reload(&self) -> Reload {
        self.reload.clone()
    }
}

// === impl Server ===

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(Pages::default(), None, Limits::default())
    }

    pub(crate) fn with_pages(pages: Pages) -> Self {
        Self::with(pages, None, Limits::default())
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        Self::with(Pages::default(), None, limits)
    }

    pub(crate) fn with(pages: Pages, web: Option<WebConfig>, limits: Limits) -> Self {
        let pages = Arc::new(pages);
        let service: Arc<dyn Service> = pages.clone();
        let (stop, stopped) = oneshot::channel();
        let (bound, address) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                bound.send(listener.local_addr()).unwrap();
                server::serve(listener, service, web, limits, async { drop(stopped.await) }).await;
            });
            runtime.shutdown_background();
        });
        let address = address.recv_timeout(PATIENCE).unwrap();
        Self { address, pages, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.ask("GET", path, "")
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str) -> Response {
        exchange(&mut self.connect(), method, path, headers)
    }

    /// Tells the server to stop, and does not wait for it.
    pub(crate) fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// How long the server took to stop.
    pub(crate) fn stop(mut self) -> Duration {
        let begun = Instant::now();
        self.begin_stop();
        self.thread.take().unwrap().join().unwrap();
        begun.elapsed()
    }

    pub(crate) fn wait_until_running(&self, count: usize) {
        wait_for(|| self.pages.running.load(Ordering::SeqCst) == count);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.begin_stop();
    }
}

// === impl Response ===

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub(crate) fn exchange(
    stream: &mut (impl Read + Write),
    method: &str,
    path: &str,
    headers: &str,
) -> Response {
    try_exchange(stream, method, path, headers).unwrap()
}

pub(crate) fn try_exchange(
    stream: &mut (impl Read + Write),
    method: &str,
    path: &str,
    headers: &str,
) -> std::io::Result<Response> {
    send(stream, method, path, headers)?;
    receive(stream, method == "HEAD")
}

pub(crate) fn send(stream: &mut impl Write, method: &str, path: &str, headers: &str) -> std::io::Result<()> {
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n")?;
    stream.flush()
}

pub(crate) fn receive(stream: &mut impl Read, is_head: bool) -> std::io::Result<Response> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut response = Response { status, head, body: Vec::new() };
    let length: usize = response.header("content-length").map_or(0, |length| length.parse().unwrap());
    if !is_head {
        response.body = vec![0; length];
        stream.read_exact(&mut response.body)?;
    }
    Ok(response)
}

/// Reads until the server closes the connection; fails when it does not.
#[track_caller]
pub(crate) fn read_until_closed(stream: &mut TcpStream) -> usize {
    let mut count = 0;
    let mut buffer = [0; 64 << 10];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return count,
            Ok(read) => count += read,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("still open"),
            Err(_) => return count,
        }
    }
}

#[track_caller]
pub(crate) fn wait_for(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "the condition never came true");
        std::thread::sleep(Duration::from_millis(5));
    }
}
