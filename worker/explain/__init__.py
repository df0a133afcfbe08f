"""What happened to one cart, order, reservation, event or call, told from the ledger and from the topics."""
