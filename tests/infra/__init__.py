"""What the scenario tests run on: brokers and a schema registry."""
