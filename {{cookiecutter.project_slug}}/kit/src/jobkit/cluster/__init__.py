"""Real parts on one machine: Flink processes, a Kafka broker, and a job that runs on them."""
