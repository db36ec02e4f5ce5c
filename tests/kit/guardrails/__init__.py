"""The guardrails: for each rule a job that holds it, and the job that breaks it."""
