"""What a person hands in, read: pictures, sounds and texts of any common kind, within fixed bounds."""
