"""Load for a job, and what it does with it: throughput, latency, processor time and memory."""
