"""The job on a real Flink and a real Kafka, in containers or as processes."""
