"""What makes, wires and waits: options, configuration, the driver."""
