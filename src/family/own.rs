//! What the exporter says of itself and its process: few series, kept in the `prometheus` crate's registry.

use super::Kind;
use super::writer::Writer;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntGauge, Opts, Registry};

/// The exporter's own metrics.
pub struct Own {
    registry: Registry,
    pub config_last_reload_successful: IntGauge,
    pub config_last_reload_timestamp: Gauge,
    series: IntGauge,
    series_overflow: IntCounter,
    pub scrape_duration: Histogram,
}

/// What is said of checkpoints; there only where there are any.
#[derive(Clone)]
pub struct Saving {
    pub last_success: Gauge,
    pub failures: IntCounter,
    pub duration: Gauge,
    pub size: IntGauge,
}

/// Name, type and meaning, for the reference.
pub const FAMILIES: &[(&str, Kind, &str)] = &[
    ("inference_exporter_build_info", Kind::Gauge, "1, with the version of the exporter."),
    (
        "inference_exporter_config_last_reload_successful",
        Kind::Gauge,
        "Whether the configuration was read without a mistake the last time.",
    ),
    (
        "inference_exporter_config_last_reload_success_timestamp_seconds",
        Kind::Gauge,
        "When a configuration was last taken over, in seconds since the epoch.",
    ),
    ("inference_exporter_series", Kind::Gauge, "Samples about models and logs in this exposition."),
    ("inference_exporter_series_overflow_total", Kind::Counter, "Values that a limit folded into __other__."),
    (
        "inference_exporter_scrape_duration_seconds",
        Kind::Histogram,
        "How long expositions took to write, without this one.",
    ),
    (
        "inference_exporter_checkpoint_last_success_timestamp_seconds",
        Kind::Gauge,
        "When all there was to keep was last known to be on disk, or the exporter started, in seconds since the epoch; only with `state_dir`.",
    ),
    (
        "inference_exporter_checkpoint_failures_total",
        Kind::Counter,
        "Checkpoints that could not be written, or not be used at the start; only with `state_dir`.",
    ),
    (
        "inference_exporter_checkpoint_duration_seconds",
        Kind::Gauge,
        "How long the last checkpoint took to write; only with `state_dir`.",
    ),
    (
        "inference_exporter_checkpoint_size_bytes",
        Kind::Gauge,
        "Size of the last checkpoint; only with `state_dir`.",
    ),
];

/// Seconds: a scrape of ten series takes some 10 µs, one of 100,000 some 10 ms.
const SCRAPE_BOUNDS: [f64; 9] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0];

// === impl Own ===

impl Own {
    /// A registry with these metrics and the process's.
    ///
    /// # Errors
    /// Never with the names above; the registry refuses names that are taken or no names.
    pub fn new(saving: Option<&Saving>) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let help = |index: usize| FAMILIES[index].2;
        let build = GaugeVec::new(Opts::new(FAMILIES[0].0, help(0)), &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        register(&registry, build)?;
        let own = Self {
            config_last_reload_successful: IntGauge::new(FAMILIES[1].0, help(1))?,
            config_last_reload_timestamp: Gauge::new(FAMILIES[2].0, help(2))?,
            series: IntGauge::new(FAMILIES[3].0, help(3))?,
            series_overflow: IntCounter::new(FAMILIES[4].0, help(4))?,
            scrape_duration: Histogram::with_opts(
                HistogramOpts::new(FAMILIES[5].0, help(5)).buckets(SCRAPE_BOUNDS.to_vec()),
            )?,
            registry,
        };
        register(&own.registry, own.config_last_reload_successful.clone())?;
        register(&own.registry, own.config_last_reload_timestamp.clone())?;
        register(&own.registry, own.series.clone())?;
        register(&own.registry, own.series_overflow.clone())?;
        register(&own.registry, own.scrape_duration.clone())?;
        register(&own.registry, ProcessCollector::for_self())?;
        if let Some(Saving { last_success, failures, duration, size }) = saving {
            register(&own.registry, last_success.clone())?;
            register(&own.registry, failures.clone())?;
            register(&own.registry, duration.clone())?;
            register(&own.registry, size.clone())?;
        }
        Ok(own)
    }

    /// Notes the samples of this exposition and the values folded so far. Reloads that drop a model take its
    /// folded values along; a counter does not go back.
    pub fn note_series(&self, series: u64, folded: u64) {
        self.series.set(i64::try_from(series).unwrap_or(i64::MAX));
        self.series_overflow.inc_by(folded.saturating_sub(self.series_overflow.get()));
    }

    /// Appends these metrics to an exposition.
    pub fn write(&self, writer: &mut Writer) {
        for family in self.registry.gather() {
            write_family(&family, writer);
        }
    }
}

// === impl Saving ===

impl Saving {
    /// Before the first checkpoint. What an exporter has counted when it starts, at `now` in seconds since
    /// the epoch, is safe.
    ///
    /// # Errors
    /// Never with the names above.
    pub fn new(now: f64) -> prometheus::Result<Self> {
        let new = Self {
            last_success: Gauge::new(FAMILIES[6].0, FAMILIES[6].2)?,
            failures: IntCounter::new(FAMILIES[7].0, FAMILIES[7].2)?,
            duration: Gauge::new(FAMILIES[8].0, FAMILIES[8].2)?,
            size: IntGauge::new(FAMILIES[9].0, FAMILIES[9].2)?,
        };
        new.last_success.set(now);
        Ok(new)
    }
}

fn register(registry: &Registry, collector: impl Collector + 'static) -> prometheus::Result<()> {
    registry.register(Box::new(collector))
}

/// A family of the registry in either format; the registry holds counters, gauges and histograms only.
fn write_family(family: &MetricFamily, writer: &mut Writer) {
    let kind = match family.get_field_type() {
        MetricType::COUNTER => Kind::Counter,
        MetricType::HISTOGRAM => Kind::Histogram,
        _ => Kind::Gauge,
    };
    writer.begin(family.name(), kind, family.help());
    for metric in family.get_metric() {
        let labels: Vec<(&str, &str)> =
            metric.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
        match kind {
            Kind::Counter => writer.value(&labels, metric.get_counter().get_value()),
            Kind::Gauge => writer.value(&labels, metric.get_gauge().get_value()),
            Kind::Histogram => {
                let histogram = metric.get_histogram();
                let buckets = histogram.get_bucket();
                let buckets = buckets.iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
                writer.cumulative(&labels, buckets, histogram.get_sample_sum(), histogram.get_sample_count());
            }
        }
    }
}
