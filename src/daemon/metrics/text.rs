//! Metrics as text, in the format that Prometheus reads (`OpenMetrics` 1.0).

use std::fmt;

use hyper::header::HeaderValue;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, LabelSetEncoder, MetricEncoder, NoLabelSet, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{Registry, Unit};

use super::Metrics;
use super::families::{FAMILIES, Family, Kind, Sample, Sight, Value};
use crate::clients::counts::{BOUNDS, Histogram};

/// What the text is, for HTTP.
pub(super) const TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// All metrics at this moment.
pub(super) fn of(metrics: &Metrics) -> String {
    of_sight(&Sight::new(metrics))
}

fn of_sight(sight: &Sight<'_>) -> String {
    let collected = FAMILIES.iter().map(|family| (family, family.samples(sight))).collect();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Collected(collected)));
    let mut text = String::new();
    // Only a writer can fail, and a text does not.
    let _ = text::encode(&mut text, &registry);
    text
}

/// Families with what they have to say.
#[derive(Debug)]
struct Collected(Vec<(&'static Family, Vec<Sample>)>);

impl prometheus_client::collector::Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (family, samples) in &self.0 {
            let (name, unit) = family.stem();
            let unit = unit.map(|unit| Unit::Other(unit.to_owned()));
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut metric = encoder.encode_descriptor(name, family.help, unit.as_ref(), kind)?;
            for sample in samples {
                let labels = Labels { names: family.labels, values: &sample.labels };
                if family.labels.is_empty() {
                    write(&mut metric, &sample.value)?;
                } else {
                    write(&mut metric.encode_family(&labels)?, &sample.value)?;
                }
            }
        }
        Ok(())
    }
}

/// The labels of a sample.
struct Labels<'a> {
    names: &'a [&'static str],
    values: &'a [&'static str],
}

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let labels: Vec<_> = self.names.iter().copied().zip(self.values.iter().copied()).collect();
        labels.encode(encoder)
    }
}

fn write(metric: &mut MetricEncoder<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Count(count) => metric.encode_counter(count, None::<&Exemplar<NoLabelSet, u64>>),
        Value::Gauge(gauge) => metric.encode_gauge(gauge),
        Value::Histogram(histogram) => {
            let Histogram { ranges, sum } = histogram;
            // The last bound stands for all that is longer.
            let bounds = BOUNDS.iter().map(std::time::Duration::as_secs_f64).chain([f64::MAX]);
            let buckets: Vec<_> = bounds.zip(ranges.iter().copied()).collect();
            metric.encode_histogram::<NoLabelSet>(sum.as_secs_f64(), ranges.iter().sum(), &buckets, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::decide::Decision;
    use crate::journal::Record;
    use crate::mail::{Header, ReversePath};
    use crate::session::{Client, Envelope, Origin, Point, Request, Role, Session};

    /// The names of all series.
    fn series(metrics: &Metrics) -> BTreeSet<String> {
        let text = of(metrics);
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned()).collect()
    }

    /// The record of a message that nobody has anything to say about.
    fn record() -> Record {
        let client = Client { address: None, name: String::new(), port: 25 };
        let session =
            Session { role: Role::Auto, client, helo: String::new(), mta_name: None, is_postfix: true };
        let envelope = Envelope {
            reverse_path: ReversePath::Null,
            bracketed: true,
            login: None,
            recipients: Vec::new(),
            queue_id: None,
        };
        let header = Header::default();
        let request = Request {
            session: &session,
            envelope: &envelope,
            origin: Origin::Foreign,
            point: Point::Message(&header),
            report: None,
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        Record::of(&request, &Decision::default())
    }

    #[test]
    fn a_million_strangers_make_no_series() {
        let metrics = Metrics::new();
        let mut record = record();
        metrics.decisions.note_logged(&record);
        let before = series(&metrics);
        for number in 0..1_000_000_u32 {
            record.client = std::net::Ipv4Addr::from(number).to_string();
            record.helo = format!("h{number}.example");
            record.mail_from = format!("s{number}@x{number}.example");
            record.rcpt_to = vec![format!("r{number}@local.test")];
            record.detail = Some(format!("{number}\"\n"));
            metrics.decisions.note_logged(&record);
        }
        assert_eq!(series(&metrics), before);
        assert!(of(&metrics).contains("\"} 1000001\n"));
        assert!(before.len() > 100, "only {} series", before.len());
    }
}
