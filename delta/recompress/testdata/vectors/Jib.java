import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.zip.GZIPOutputStream;

/** Jib prints what vectors prints, of a file compressed as Jib compresses layers. See make-vectors. */
class Jib {
  public static void main(String[] args) throws Exception {
    byte[] plain = Files.readAllBytes(Path.of(args[0]));
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (GZIPOutputStream z = new GZIPOutputStream(out)) {
      for (int at = 0; at < plain.length; at += 8192) {
        z.write(plain, at, Math.min(8192, plain.length - at));
      }
    }
    byte[] b = out.toByteArray();
    byte[] stream = Arrays.copyOfRange(b, 10, b.length - 8); // without gzip's header and trailer
    System.out.println("jib java" + Runtime.version().feature() + " 6 " + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(stream)));
  }
}
