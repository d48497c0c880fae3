"""Small, tested building blocks behind the notebooks of the Rational study."""
