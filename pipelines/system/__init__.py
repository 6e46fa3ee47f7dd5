"""What the machine is: its cores, and a person who watches."""
