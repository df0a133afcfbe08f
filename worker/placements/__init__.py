"""Is there a placement to show? `Placements/any`, asked once and by hand, and what its answer says."""
