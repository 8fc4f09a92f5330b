"""How good a method is: towns with known leaks, the euro score. Operation uses none of it."""
