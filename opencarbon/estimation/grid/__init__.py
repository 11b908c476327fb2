"""The grid ahead: one planning curve per zone, every hour with its kind and its error."""
