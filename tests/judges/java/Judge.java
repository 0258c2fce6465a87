import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CRL;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Judges the cases of DIR/cases.tsv by PKIX: prints a line `case TAB verdict` for each. */
class Judge {
    static CertificateFactory factory;
    static Path dir;

    public static void main(String[] arguments) throws Exception {
        factory = CertificateFactory.getInstance("X.509");
        dir = Path.of(arguments[0]);
        StringBuilder out = new StringBuilder();
        for (String line : Files.readAllLines(dir.resolve("cases.tsv"))) {
            String[] fields = line.split("\t");
            String verdict = "ok";
            try {
                judge(fields);
            } catch (Exception error) {
                verdict = error.toString().replaceAll("\\s+", " ");
            }
            out.append(fields[0]).append('\t').append(verdict).append('\n');
        }
        System.out.print(out);
    }

    static X509Certificate certificate(String name) throws Exception {
        return (X509Certificate) factory.generateCertificate(bytes(name));
    }

    static ByteArrayInputStream bytes(String name) throws Exception {
        return new ByteArrayInputStream(Files.readAllBytes(dir.resolve(name)));
    }

    /** The fields of a case: name, instant, root, intermediates, leaf, CRL. */
    static void judge(String[] fields) throws Exception {
        List<X509Certificate> path = new ArrayList<>();
        for (String name : fields[3].split(",")) {
            path.add(certificate(name));
        }
        path.add(certificate(fields[4]));
        // The path begins with the end entity.
        Collections.reverse(path);
        for (X509Certificate each : path) {
            each.toString();
            each.getSubjectAlternativeNames();
        }
        CertPath certPath = factory.generateCertPath(path);
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(certificate(fields[2]), null)));
        parameters.setDate(new Date(Long.parseLong(fields[1]) * 1000));
        parameters.setRevocationEnabled(false);
        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        if (!fields[5].equals("-")) {
            CRL crl = factory.generateCRL(bytes(fields[5]));
            crl.toString();
            parameters.addCertStore(
                CertStore.getInstance("Collection", new CollectionCertStoreParameters(List.of(crl))));
            PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
            checker.setOptions(EnumSet.of(
                PKIXRevocationChecker.Option.ONLY_END_ENTITY,
                PKIXRevocationChecker.Option.PREFER_CRLS,
                PKIXRevocationChecker.Option.NO_FALLBACK));
            parameters.addCertPathChecker(checker);
        }
        validator.validate(certPath, parameters);
    }
}
