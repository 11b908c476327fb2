"""The Electricity Maps API: what is asked, what a plan covers, and answers turned into rows."""
