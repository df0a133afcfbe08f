"""Kafka: one thread that owns the consumer, a lane per partition, and the producer."""
