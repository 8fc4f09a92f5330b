"""Consumption of households: a simulated main meter, with a label for every use and fault."""
